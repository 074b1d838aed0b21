// Generated from Tower's OpenAPI by `make dashboard-types`. Do not edit.

export interface paths {
    "/account": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show one's own account */
        get: operations["get_account"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change one's own account */
        patch: operations["change_account"];
        trace?: never;
    };
    "/account/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Change one's own password */
        put: operations["change_password"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/account/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List one's own sessions */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /** End all of one's own sessions */
        delete: operations["end_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/account/sessions/{session}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one of one's own sessions */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List apps */
        get: operations["list_apps"];
        put?: never;
        /** Make an app */
        post: operations["create_app"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an app */
        get: operations["get_app"];
        put?: never;
        post?: never;
        /** Delete an app for good */
        delete: operations["delete_app"];
        options?: never;
        head?: never;
        /** Change an app */
        patch: operations["change_app"];
        trace?: never;
    };
    "/apps/{app}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Archive an app */
        post: operations["archive_app"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an app's flags */
        get: operations["list_flags"];
        put?: never;
        /** Make a flag */
        post: operations["create_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a flag */
        get: operations["get_flag"];
        put?: never;
        post?: never;
        /** Delete an archived flag for good */
        delete: operations["delete_flag"];
        options?: never;
        head?: never;
        /** Change a flag */
        patch: operations["change_flag"];
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Archive a flag */
        post: operations["archive_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/circuit/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what settings of a circuit would have done */
        post: operations["preview_circuit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/circuit/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Reset a flag's circuit */
        post: operations["reset_circuit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/duplicate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Copy a flag to another app or key */
        post: operations["duplicate_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/evaluate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Try a flag out */
        post: operations["evaluate_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a flag's log */
        get: operations["list_flag_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Restore an archived flag */
        post: operations["restore_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Roll a flag back */
        post: operations["roll_back_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/timeseries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the graph of a flag */
        get: operations["show_graph"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/toggle": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turn a flag on or off */
        post: operations["toggle_flag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/flags/{flag}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a flag's versions */
        get: operations["list_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an app's SDK keys */
        get: operations["list_keys"];
        put?: never;
        /** Make an SDK key */
        post: operations["create_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/keys/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke an SDK key */
        delete: operations["revoke_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an app's log */
        get: operations["list_app_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Restore an archived app */
        post: operations["restore_app"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/segments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an app's segments */
        get: operations["list_segments"];
        put?: never;
        /** Make a segment */
        post: operations["create_segment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/segments/{segment}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a segment */
        get: operations["get_segment"];
        put?: never;
        post?: never;
        /** Delete a segment */
        delete: operations["delete_segment"];
        options?: never;
        head?: never;
        /** Change a segment */
        patch: operations["change_segment"];
        trace?: never;
    };
    "/apps/{app}/segments/{segment}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Add and remove members */
        post: operations["change_members"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/apps/{app}/sidecars": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an app's sidecars */
        get: operations["list_app_sidecars"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/flags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the flags of all apps */
        get: operations["list_all_flags"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List invitations */
        get: operations["list_invitations"];
        put?: never;
        /** Invite somebody */
        post: operations["create_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/invitations/{invitation}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Withdraw an invitation */
        delete: operations["withdraw_invitation"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List viewer links */
        get: operations["list_links"];
        put?: never;
        /** Make a viewer link */
        post: operations["create_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/links/{link}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Withdraw a viewer link */
        delete: operations["withdraw_link"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow changes over a WebSocket */
        get: operations["follow_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the log */
        get: operations["list_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/{entry}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an entry of the log */
        get: operations["get_entry"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export the log */
        get: operations["export_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The description of the API in OpenAPI 3.1 */
        get: operations["show_description"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show who asks */
        get: operations["show_session"];
        put?: never;
        /** Log in with a password */
        post: operations["log_in"];
        /** Log out */
        delete: operations["log_out"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/invitation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Accept an invitation */
        post: operations["accept_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Use a viewer link */
        post: operations["use_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/oidc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Log in at the provider */
        get: operations["begin_oidc"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/oidc/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Come back from the provider */
        get: operations["finish_oidc"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Become an admin by a set-up link */
        post: operations["use_setup_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sidecars": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List all sidecars */
        get: operations["list_sidecars"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say what needs attention */
        get: operations["show_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/timeseries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the calls and error rates of some flags */
        get: operations["list_sparks"];
        put?: never;
        /** Show the calls and error rates of many flags */
        post: operations["find_sparks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List API tokens */
        get: operations["list_tokens"];
        put?: never;
        /** Make an API token */
        post: operations["create_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens/{token}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an API token */
        get: operations["get_token"];
        put?: never;
        post?: never;
        /** Revoke an API token */
        delete: operations["revoke_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens/{token}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Rotate an API token */
        post: operations["rotate_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List users */
        get: operations["list_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a user */
        get: operations["get_user"];
        put?: never;
        post?: never;
        /** Delete a user */
        delete: operations["delete_user"];
        options?: never;
        head?: never;
        /** Change a user */
        patch: operations["change_user"];
        trace?: never;
    };
    "/users/{user}/reset-link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a link by which a user sets a new password */
        post: operations["create_reset_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{user}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Log a user out everywhere */
        delete: operations["end_sessions_of_user"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List webhooks */
        get: operations["list_webhooks"];
        put?: never;
        /** Make a webhook */
        post: operations["create_webhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a webhook */
        get: operations["get_webhook"];
        put?: never;
        post?: never;
        /** Delete a webhook */
        delete: operations["delete_webhook"];
        options?: never;
        head?: never;
        /** Change a webhook */
        patch: operations["change_webhook"];
        trace?: never;
    };
    "/webhooks/{webhook}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a webhook's deliveries */
        get: operations["list_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook}/deliveries/{delivery}/resend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a delivery again */
        post: operations["resend_delivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a webhook a new secret */
        post: operations["rotate_webhook_secret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Try a webhook out */
        post: operations["try_webhook_out"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AccountChange
         * @description A change of one's own account: what is missing stays.
         */
        AccountChange: {
            /**
             * Name
             * @default
             */
            name?: string;
        };
        /**
         * ActorOut
         * @description Who has done it. `kind` is user, token, environment, link, or system for what nobody has asked for.
         */
        ActorOut: {
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Name */
            name: string;
        };
        /**
         * AnswerOut
         * @description What the flag gives one user.
         */
        AnswerOut: {
            /**
             * Active
             * @description Whether it is another than the off variant.
             */
            active: boolean;
            decided_by: components["schemas"]["Line"];
            explanation: components["schemas"]["ExplanationOut"];
            /**
             * Is Error
             * @description Whether OpenFeature's clients get an error, and use their defaults.
             */
            is_error: boolean;
            /** Prerequisite */
            prerequisite: string | null;
            prerequisite_reason: components["schemas"]["Reason"] | null;
            reason: components["schemas"]["Reason"];
            /** Rule */
            rule: string | null;
            /** Targeting Key */
            targeting_key: string | null;
            /** Value */
            value: unknown;
            /** Variant */
            variant: string | null;
        };
        /**
         * AppChange
         * @description A change of an app, which keeps its key.
         */
        AppChange: {
            /**
             * @description What a new flag has where nobody says otherwise; replaced whole, null is nothing.
             * @default null
             */
            defaults?: components["schemas"]["FlagDefaults"] | null;
            /**
             * Description
             * @description What the app is.
             * @default
             */
            description?: string;
            /**
             * Environment
             * @description Where it runs: production, staging, anything.
             * @default null
             */
            environment?: string | null;
            /**
             * Name
             * @description What people call the app; null is its key.
             * @default null
             */
            name?: string | null;
            /**
             * Requires Reason
             * @description Whether whoever changes a flag or a segment has to say why (Tailslide-Reason).
             * @default false
             */
            requires_reason?: boolean;
            /**
             * Service
             * @description The service that the app is of; several apps may be of one.
             * @default null
             */
            service?: string | null;
        };
        /**
         * AppCreate
         * @description A new app; without a name it is called as its key.
         */
        AppCreate: {
            /**
             * @description What a new flag has where nobody says otherwise; replaced whole, null is nothing.
             * @default null
             */
            defaults?: components["schemas"]["FlagDefaults"] | null;
            /**
             * Description
             * @description What the app is.
             * @default
             */
            description?: string;
            /**
             * Environment
             * @description Where it runs: production, staging, anything.
             * @default null
             */
            environment?: string | null;
            /**
             * Key
             * @description The app's key: 1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or a digit.
             */
            key: string;
            /**
             * Name
             * @description What people call the app; null is its key.
             * @default null
             */
            name?: string | null;
            /**
             * Requires Reason
             * @description Whether whoever changes a flag or a segment has to say why (Tailslide-Reason).
             * @default false
             */
            requires_reason?: boolean;
            /**
             * Service
             * @description The service that the app is of; several apps may be of one.
             * @default null
             */
            service?: string | null;
        };
        /**
         * AppList
         * @description A page of apps.
         */
        AppList: {
            /** Apps */
            apps: components["schemas"]["AppOut"][];
            /**
             * Next
             * @description Where to go on (`after`), null at the end.
             */
            next: string | null;
        };
        /**
         * AppOut
         * @description An app, as it is shown.
         */
        AppOut: {
            /**
             * Archived At
             * @description Since when nothing of the app is published; null: it is.
             */
            archived_at: string | null;
            /** Created At */
            created_at: string;
            /**
             * Defaults
             * @description What a new flag has where nobody says otherwise.
             */
            defaults: {
                [key: string]: unknown;
            };
            /** Description */
            description: string;
            /** Environment */
            environment: string | null;
            /** Key */
            key: string;
            /** Name */
            name: string;
            /**
             * Requires Reason
             * @description Whether changes of flags and segments need Tailslide-Reason.
             */
            requires_reason: boolean;
            /** Service */
            service: string | null;
            /** Updated At */
            updated_at: string;
            /** Version */
            version: number;
        };
        /**
         * Archive
         * @description Archive a flag or an app.
         */
        Archive: {
            /**
             * Force
             * @description Whether it is archived though something has asked for it lately.
             * @default false
             */
            force?: boolean;
        };
        /**
         * ArrivedOut
         * @description In how many sidecars of the app the last change has arrived. At most 100 missing ones are named.
         */
        ArrivedOut: {
            /** Arrived */
            arrived: number;
            /** Changed At */
            changed_at: string;
            /** Missing */
            missing: components["schemas"]["MissingOut"][];
            /** Of */
            of: number;
        };
        /**
         * AskedContext
         * @description One user; without a targeting key, as of a call that does not say whose it is.
         */
        AskedContext: {
            /**
             * Attributes
             * @description What rules may ask for, as sidecars get it.
             */
            attributes?: {
                [key: string]: unknown;
            };
            /**
             * Targeting Key
             * @description Who asks.
             * @default null
             */
            targeting_key?: string | null;
        };
        /**
         * AttemptOut
         * @description What came of sending a sample.
         */
        AttemptOut: {
            /** Answer */
            answer: string | null;
            /** Delivered */
            delivered: boolean;
            /** Error */
            error: string | null;
            /** Status */
            status: number | null;
        };
        /**
         * AvoidedOut
         * @description Calls that would not have reached the feature, an estimate: failed ones, and good ones that went with them.
         */
        AvoidedOut: {
            /**
             * Estimate
             * @default true
             * @constant
             */
            estimate?: true;
            /** Failures */
            failures: number;
            /** Successes */
            successes: number;
        };
        /**
         * CallsOut
         * @description Calls, one entry a bucket; null where nothing was counted. Rates are percentages.
         *
         *     `counted` is false where no sidecar has ever counted a call, as far as is kept.
         */
        CallsOut: {
            /** Calls */
            calls: (number | null)[];
            /** Counted */
            counted: boolean;
            /** Error Rate */
            error_rate: (number | null)[];
            /** Failures */
            failures: (number | null)[];
            /** Slow */
            slow: (number | null)[];
            /** Slow Rate */
            slow_rate: (number | null)[];
            /** Successes */
            successes: (number | null)[];
        };
        /**
         * ChangedMessage
         * @description Something else than a flag has changed: a segment, an app, a webhook.
         */
        ChangedMessage: {
            /** Action */
            action: string;
            /** App */
            app: string | null;
            /** Cursor */
            cursor: string;
            /** Key */
            key: string | null;
            /** Kind */
            kind: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "changed";
        };
        /**
         * ChangeOut
         * @description What is different at one place: `before` and `after`, missing where there was no such member.
         *
         *     Or, of a list, what it has lost and gained.
         */
        ChangeOut: {
            /**
             * Added
             * @default null
             */
            added?: unknown[] | null;
            /**
             * After
             * @default null
             */
            after?: unknown;
            /**
             * Before
             * @default null
             */
            before?: unknown;
            /**
             * Field
             * @description The place as a text.
             */
            field: string;
            /**
             * Path
             * @description The place: names of members and positions in lists.
             */
            path: (string | number)[];
            /**
             * Removed
             * @default null
             */
            removed?: unknown[] | null;
        };
        /**
         * CircuitFields
         * @description When a circuit opens, and how it recovers.
         */
        CircuitFields: {
            /**
             * Confidence
             * @description How certain it must be that the rate is above its threshold.
             * @default 0.9999
             */
            confidence?: number;
            /**
             * Error Threshold
             * @description It opens when more than this percentage of calls fail.
             * @default 50
             */
            error_threshold?: number;
            /**
             * Failure Statuses
             * @description Statuses of HTTP that count as failures: 503, 5xx, 500-504.
             * @example [
             *       "5xx",
             *       429
             *     ]
             */
            failure_statuses?: unknown[];
            /**
             * Forced Open
             * @description Whether a person holds it open, whatever the calls say.
             * @default false
             */
            forced_open?: boolean;
            /**
             * @description null: sidecars wait for the verdict.
             * @default null
             */
            local_guard?: components["schemas"]["LocalGuardFields"] | null;
            /**
             * Long Window Ms
             * @description The longest time over which calls are judged, for flags with few calls.
             * @default 1800000
             */
            long_window_ms?: number;
            /**
             * Min Calls
             * @description Fewer calls are not judged.
             * @default 10
             */
            min_calls?: number;
            /**
             * @description null: an open circuit waits for a person.
             * @default {
             *       "delay_ms": 30000,
             *       "increment": 10,
             *       "initial": 10,
             *       "interval_ms": 5000,
             *       "max_delay_ms": 600000,
             *       "profile": "linear"
             *     }
             */
            recovery?: components["schemas"]["RecoveryFields"] | null;
            /**
             * Slow Call Ms
             * @description A call that takes longer is slow; with slow_threshold.
             * @default null
             */
            slow_call_ms?: number | null;
            /**
             * Slow Threshold
             * @description It opens when more than this percentage are slow.
             * @default null
             */
            slow_threshold?: number | null;
            /**
             * Window Ms
             * @description The shortest time over which calls are judged.
             * @default 10000
             */
            window_ms?: number;
        };
        /**
         * CircuitOut
         * @description When a circuit opens, and how it recovers.
         */
        CircuitOut: {
            /** Confidence */
            confidence: number;
            /** Error Threshold */
            error_threshold: number;
            /** Failure Statuses */
            failure_statuses: (string | number)[];
            /** Forced Open */
            forced_open: boolean;
            /** @default null */
            local_guard?: components["schemas"]["LocalGuardFields"] | null;
            /** Long Window Ms */
            long_window_ms: number;
            /** Min Calls */
            min_calls: number;
            recovery: components["schemas"]["RecoveryOut"] | null;
            /** Reset Generation */
            reset_generation: number;
            /** Slow Call Ms */
            slow_call_ms: number | null;
            /** Slow Threshold */
            slow_threshold: number | null;
            /** Window Ms */
            window_ms: number;
        };
        /**
         * CircuitStateOut
         * @description What Aerobat has said, and what it counts as: a circuit that a person has reset or forced open differs.
         *
         *     `next` is when time alone will move it on at the earliest.
         */
        CircuitStateOut: {
            /**
             * As Of
             * @description When this was last known to be so; null while it is kept up to date.
             */
            as_of: string | null;
            /** Forced Open */
            forced_open: boolean;
            last_opening: components["schemas"]["OpeningOut"] | null;
            /** Next */
            next: string | null;
            /** Percentage */
            percentage: number;
            /** @description Why it last opened; forgotten once it has been closed for a while. */
            reason: components["schemas"]["ReasonOut"] | null;
            /** Since */
            since: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "closed" | "open" | "recovering";
            /** Trips */
            trips: number;
        };
        /**
         * ClientMessage
         * @description What clients send. `since` is the last cursor that they have got: what has changed behind it comes first.
         */
        ClientMessage: {
            /**
             * Since
             * @default null
             */
            since?: string | null;
            subscribe: components["schemas"]["SubscribeFields"];
        };
        /**
         * ConditionFields
         * @description One condition of a rule or a segment; only `in_segment` may do without an attribute.
         */
        ConditionFields: {
            /**
             * Attribute
             * @description The attribute's name, or a path into objects with dots.
             * @default targetingKey
             */
            attribute?: string;
            /**
             * Ignore Case
             * @description Whether texts are compared in lower case.
             * @default false
             */
            ignore_case?: boolean;
            /**
             * Negate
             * @description Whether it holds when nothing matches; never for a missing attribute.
             * @default false
             */
            negate?: boolean;
            /**
             * Operator
             * @description How the attribute is compared.
             * @enum {string}
             */
            operator: "in" | "not_in" | "equals" | "contains" | "starts_with" | "ends_with" | "matches" | "lt" | "le" | "gt" | "ge" | "before" | "after" | "ip_in" | "semver_eq" | "semver_lt" | "semver_le" | "semver_gt" | "semver_ge" | "semver_in" | "exists" | "in_segment";
            /**
             * Values
             * @description What it is compared with: strings, numbers, booleans; one has to match.
             */
            values?: unknown[];
        };
        /**
         * CurrentMessage
         * @description All of the snapshot was sent. With `resync`, flags were too many to send: read them over REST.
         */
        CurrentMessage: {
            /** Cursor */
            cursor: string;
            /**
             * Resync
             * @default null
             */
            resync?: "too_many_flags" | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "current";
        };
        /**
         * CursorMessage
         * @description All up to here was sent.
         */
        CursorMessage: {
            /** Cursor */
            cursor: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "cursor";
        };
        /**
         * DeliveryList
         * @description A page of deliveries, newest first. `next` is where to go on (`after`), null at the end.
         */
        DeliveryList: {
            /** Deliveries */
            deliveries: components["schemas"]["DeliveryOut"][];
            /** Next */
            next: string | null;
        };
        /**
         * DeliveryOut
         * @description A delivery, as it is shown. `status`, `answer` and `error` are those of the last attempt.
         */
        DeliveryOut: {
            /**
             * Answer
             * @description The beginning of the answer's body; null where none came, and where the receiver's address is not public.
             */
            answer: string | null;
            /** Attempts */
            attempts: number;
            /** Created At */
            created_at: string;
            /** Delivered At */
            delivered_at: string | null;
            /**
             * Entry
             * @description The entry of the log that it is about.
             */
            entry: number;
            /** Error */
            error: string | null;
            /** Happened At */
            happened_at: string;
            /** Id */
            id: string;
            /** Last At */
            last_at: string | null;
            /**
             * Message Id
             * @description The header `webhook-id`, the same in each attempt.
             */
            message_id: string;
            /**
             * Next At
             * @description When it is sent or tried again; null where it is not.
             */
            next_at: string | null;
            /** Occasion */
            occasion: string;
            state: components["schemas"]["DeliveryState"];
            /** Status */
            status: number | null;
        };
        /**
         * DeliveryState
         * @description Where a delivery stands.
         * @enum {string}
         */
        DeliveryState: "pending" | "delivered" | "failed";
        /**
         * Duplicate
         * @description Where the copy of a flag goes; what is missing is as it is. One of the two has to differ.
         */
        Duplicate: {
            /**
             * App
             * @description The key of the app that gets the copy.
             * @default null
             */
            app?: string | null;
            /**
             * Key
             * @description The key of the copy.
             * @default null
             */
            key?: string | null;
        };
        /**
         * EntryOut
         * @description An entry of the log. `before` and `after` are there where the whole states are asked for.
         */
        EntryOut: {
            /** Action */
            action: string;
            actor: components["schemas"]["ActorOut"];
            /**
             * Address
             * @description Where the request came from; only for admins.
             */
            address: string | null;
            /**
             * After
             * @default null
             */
            after?: {
                [key: string]: unknown;
            } | null;
            /**
             * At
             * @description When it happened; of circuits by the clock of the time series server.
             */
            at: string;
            /**
             * Before
             * @default null
             */
            before?: {
                [key: string]: unknown;
            } | null;
            /**
             * Changes
             * @description What is different; empty where something was made or deleted.
             */
            changes: components["schemas"]["ChangeOut"][];
            /** Details */
            details: {
                [key: string]: unknown;
            };
            /** Id */
            id: number;
            /**
             * Minor
             * @description Whether `hide_steps` leaves it out.
             */
            minor: boolean;
            /** Reason */
            reason: string | null;
            /** Sentence */
            sentence: string;
            subject: components["schemas"]["SubjectOut"];
            /**
             * Version
             * @description Of the subject, afterwards.
             */
            version: number | null;
        };
        /**
         * ErrorMessage
         * @description A message was not taken; what was subscribed to stays as it was.
         */
        ErrorMessage: {
            /** Code */
            code: string;
            /** Detail */
            detail: string;
            /** Field */
            field: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "error";
        };
        /**
         * EvaluateFlag
         * @description For whom a flag is tried out: either `contexts` or `targeting_keys`.
         */
        EvaluateFlag: {
            /**
             * Contexts
             * @description Users with attributes.
             * @default null
             */
            contexts?: components["schemas"]["AskedContext"][] | null;
            /**
             * @description A change of the flag that is tried out and not saved; null is the flag as it is.
             * @default null
             */
            flag?: components["schemas"]["FlagChange"] | null;
            /**
             * Targeting Keys
             * @description Users of whom only the key matters.
             * @default null
             */
            targeting_keys?: string[] | null;
        };
        /**
         * EvaluationOut
         * @description What a flag gives to whom, in the order in which they were asked for.
         */
        EvaluationOut: {
            /** Answers */
            answers: components["schemas"]["AnswerOut"][];
            /** App */
            app: string;
            /**
             * Archived
             * @description Whether sidecars do not get it, so that nobody gets an answer.
             */
            archived: boolean;
            /** @description As of now; null for a flag without one. */
            circuit: components["schemas"]["State"] | null;
            /**
             * Circuits Known
             * @description Whether circuits are known; if not, all count as closed here.
             */
            circuits_known: boolean;
            /**
             * Is Draft
             * @description Whether a change was tried out that is not saved.
             */
            is_draft: boolean;
            /** Key */
            key: string;
            /**
             * Percentage
             * @description Percent of the rollout that the circuit lets in.
             */
            percentage: number;
            /**
             * Variants
             * @description How many of those asked for get each variant.
             */
            variants: {
                [key: string]: number;
            };
            /** Version */
            version: number;
        };
        /**
         * EvaluationsOut
         * @description How often each variant was given, and each rule decided, by name. Never finer than ten seconds.
         *
         *     Those of the flag as it is now that were ever counted; of rules without a name, the place.
         */
        EvaluationsOut: {
            points: components["schemas"]["Points"];
            /** Rules */
            rules: {
                [key: string]: (number | null)[];
            };
            /** Variants */
            variants: {
                [key: string]: (number | null)[];
            };
        };
        /**
         * ExplanationOut
         * @description Every line of the flag, in the order of evaluation, also those after the one that decided.
         */
        ExplanationOut: {
            /** Active */
            active: boolean;
            /** Allowed */
            allowed: boolean;
            /** Denied */
            denied: boolean;
            /** Requires */
            requires: components["schemas"]["ToldRequirementOut"][];
            /** @description The flag's own; null for a flag that sidecars do not get. */
            rollout: components["schemas"]["ToldRolloutOut"] | null;
            /** Rules */
            rules: components["schemas"]["ToldRuleOut"][];
        };
        /**
         * ExportFormat
         * @description How the log is exported.
         * @enum {string}
         */
        ExportFormat: "csv" | "jsonl";
        /**
         * FlagChange
         * @description A change of a flag, which keeps its key and its type.
         */
        FlagChange: {
            /**
             * Active
             * @description Whether the flag is on. Turning it on resets its circuit.
             * @default false
             */
            active?: boolean;
            /**
             * Allow
             * @description Targeting keys that are in, whatever the rollout.
             */
            allow?: string[];
            /**
             * Bucket By
             * @description The attribute that users are bucketed by; null: targeting key.
             * @default null
             */
            bucket_by?: string | null;
            /**
             * @description null: the flag has no circuit.
             * @default {
             *       "confidence": 0.9999,
             *       "error_threshold": 50,
             *       "failure_statuses": [
             *         "5xx"
             *       ],
             *       "forced_open": false,
             *       "local_guard": null,
             *       "long_window_ms": 1800000,
             *       "min_calls": 10,
             *       "recovery": {
             *         "delay_ms": 30000,
             *         "increment": 10,
             *         "initial": 10,
             *         "interval_ms": 5000,
             *         "max_delay_ms": 600000,
             *         "profile": "linear"
             *       },
             *       "reset_generation": null,
             *       "slow_call_ms": null,
             *       "slow_threshold": null,
             *       "window_ms": 10000
             *     }
             */
            circuit?: components["schemas"]["CircuitFields"] | null;
            /**
             * Deny
             * @description Targeting keys that are out; before allow.
             */
            deny?: string[];
            /**
             * Description
             * @description What the flag is for.
             * @default
             */
            description?: string;
            /**
             * Expected End
             * @description When a temporary flag is expected to be removed.
             * @default null
             */
            expected_end?: string | null;
            /**
             * Lifetime
             * @description Whether the flag is meant to be removed one day.
             * @default permanent
             * @enum {string}
             */
            lifetime?: "permanent" | "temporary";
            /**
             * Metadata
             * @description Strings, numbers and booleans that answers carry.
             */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Name
             * @description What people call the flag; null is its key.
             * @default null
             */
            name?: string | null;
            /**
             * Off Variant
             * @description What users get who are out.
             * @default off
             */
            off_variant?: string;
            /**
             * Owner
             * @description Who is to be asked about it: a name, a team, an e-mail address.
             * @default null
             */
            owner?: string | null;
            /**
             * Requires
             * @description Prerequisites, each of another flag.
             */
            requires?: components["schemas"]["RequirementFields"][];
            /**
             * Rollout
             * @description Percent of the users who are in, where no rule matches.
             * @default 100
             */
            rollout?: number;
            /**
             * Rules
             * @description In order: the first of which all conditions hold decides.
             */
            rules?: components["schemas"]["RuleFields"][];
            /**
             * Salt
             * @description Another salt gives other users the feature.
             * @default
             */
            salt?: string;
            /**
             * Split
             * @description What users get who are in; null is the one variant besides the off variant.
             * @default null
             */
            split?: components["schemas"]["ShareFields"][] | null;
            /**
             * Tags
             * @description For lists and searches; kept in lower case, sorted.
             */
            tags?: string[];
            /**
             * Type
             * @description What kind of value the flag gives.
             * @default boolean
             * @enum {string}
             */
            type?: "boolean" | "string" | "number" | "object";
            /**
             * Variants
             * @description Values by name, all of the flag's type; null is on and off.
             * @default null
             */
            variants?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * FlagCreate
         * @description A new flag. What is not given is as the app's `defaults` have it.
         */
        FlagCreate: {
            /**
             * Active
             * @description Whether the flag is on. Turning it on resets its circuit.
             * @default false
             */
            active?: boolean;
            /**
             * Allow
             * @description Targeting keys that are in, whatever the rollout.
             */
            allow?: string[];
            /**
             * Bucket By
             * @description The attribute that users are bucketed by; null: targeting key.
             * @default null
             */
            bucket_by?: string | null;
            /**
             * @description null: the flag has no circuit.
             * @default {
             *       "confidence": 0.9999,
             *       "error_threshold": 50,
             *       "failure_statuses": [
             *         "5xx"
             *       ],
             *       "forced_open": false,
             *       "local_guard": null,
             *       "long_window_ms": 1800000,
             *       "min_calls": 10,
             *       "recovery": {
             *         "delay_ms": 30000,
             *         "increment": 10,
             *         "initial": 10,
             *         "interval_ms": 5000,
             *         "max_delay_ms": 600000,
             *         "profile": "linear"
             *       },
             *       "reset_generation": null,
             *       "slow_call_ms": null,
             *       "slow_threshold": null,
             *       "window_ms": 10000
             *     }
             */
            circuit?: components["schemas"]["CircuitFields"] | null;
            /**
             * Deny
             * @description Targeting keys that are out; before allow.
             */
            deny?: string[];
            /**
             * Description
             * @description What the flag is for.
             * @default
             */
            description?: string;
            /**
             * Expected End
             * @description When a temporary flag is expected to be removed.
             * @default null
             */
            expected_end?: string | null;
            /**
             * Key
             * @description The flag's key: 1 to 100 characters of A-Z, a-z, 0-9, '.', '-' and '_', not beginning with '_' or '.', not ending with '.', and no two dots in a row.
             */
            key: string;
            /**
             * Lifetime
             * @description Whether the flag is meant to be removed one day.
             * @default permanent
             * @enum {string}
             */
            lifetime?: "permanent" | "temporary";
            /**
             * Metadata
             * @description Strings, numbers and booleans that answers carry.
             */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Name
             * @description What people call the flag; null is its key.
             * @default null
             */
            name?: string | null;
            /**
             * Off Variant
             * @description What users get who are out.
             * @default off
             */
            off_variant?: string;
            /**
             * Owner
             * @description Who is to be asked about it: a name, a team, an e-mail address.
             * @default null
             */
            owner?: string | null;
            /**
             * Requires
             * @description Prerequisites, each of another flag.
             */
            requires?: components["schemas"]["RequirementFields"][];
            /**
             * Rollout
             * @description Percent of the users who are in, where no rule matches.
             * @default 100
             */
            rollout?: number;
            /**
             * Rules
             * @description In order: the first of which all conditions hold decides.
             */
            rules?: components["schemas"]["RuleFields"][];
            /**
             * Salt
             * @description Flags with the same salt have the same users in; null is the key.
             * @default null
             */
            salt?: string | null;
            /**
             * Split
             * @description What users get who are in; null is the one variant besides the off variant.
             * @default null
             */
            split?: components["schemas"]["ShareFields"][] | null;
            /**
             * Tags
             * @description For lists and searches; kept in lower case, sorted.
             */
            tags?: string[];
            /**
             * Type
             * @description What kind of value the flag gives.
             * @default boolean
             * @enum {string}
             */
            type?: "boolean" | "string" | "number" | "object";
            /**
             * Variants
             * @description Values by name, all of the flag's type; null is on and off.
             * @default null
             */
            variants?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * FlagDefaults
         * @description What a new flag of an app has where its maker says nothing: any of its fields but those that are its alone.
         */
        FlagDefaults: {
            /**
             * Active
             * @description Whether the flag is on. Turning it on resets its circuit.
             * @default false
             */
            active?: boolean;
            /**
             * Allow
             * @description Targeting keys that are in, whatever the rollout.
             */
            allow?: string[];
            /**
             * Bucket By
             * @description The attribute that users are bucketed by; null: targeting key.
             * @default null
             */
            bucket_by?: string | null;
            /**
             * @description null: the flag has no circuit.
             * @default {
             *       "confidence": 0.9999,
             *       "error_threshold": 50,
             *       "failure_statuses": [
             *         "5xx"
             *       ],
             *       "forced_open": false,
             *       "local_guard": null,
             *       "long_window_ms": 1800000,
             *       "min_calls": 10,
             *       "recovery": {
             *         "delay_ms": 30000,
             *         "increment": 10,
             *         "initial": 10,
             *         "interval_ms": 5000,
             *         "max_delay_ms": 600000,
             *         "profile": "linear"
             *       },
             *       "reset_generation": null,
             *       "slow_call_ms": null,
             *       "slow_threshold": null,
             *       "window_ms": 10000
             *     }
             */
            circuit?: components["schemas"]["CircuitFields"] | null;
            /**
             * Deny
             * @description Targeting keys that are out; before allow.
             */
            deny?: string[];
            /**
             * Description
             * @description What the flag is for.
             * @default
             */
            description?: string;
            /**
             * Lifetime
             * @description Whether the flag is meant to be removed one day.
             * @default permanent
             * @enum {string}
             */
            lifetime?: "permanent" | "temporary";
            /**
             * Metadata
             * @description Strings, numbers and booleans that answers carry.
             */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Off Variant
             * @description What users get who are out.
             * @default off
             */
            off_variant?: string;
            /**
             * Owner
             * @description Who is to be asked about it: a name, a team, an e-mail address.
             * @default null
             */
            owner?: string | null;
            /**
             * Rollout
             * @description Percent of the users who are in, where no rule matches.
             * @default 100
             */
            rollout?: number;
            /**
             * Rules
             * @description In order: the first of which all conditions hold decides.
             */
            rules?: components["schemas"]["RuleFields"][];
            /**
             * Split
             * @description What users get who are in; null is the one variant besides the off variant.
             * @default null
             */
            split?: components["schemas"]["ShareFields"][] | null;
            /**
             * Tags
             * @description For lists and searches; kept in lower case, sorted.
             */
            tags?: string[];
            /**
             * Type
             * @description What kind of value the flag gives.
             * @default boolean
             * @enum {string}
             */
            type?: "boolean" | "string" | "number" | "object";
            /**
             * Variants
             * @description Values by name, all of the flag's type; null is on and off.
             * @default null
             */
            variants?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * FlagInTrouble
         * @description A flag whose users do not get what was asked for, and its state.
         */
        FlagInTrouble: {
            /** App */
            app: string;
            /** Key */
            key: string;
            /** Name */
            name: string;
            state: components["schemas"]["FlagStateOut"];
        };
        /**
         * FlagList
         * @description A page of flags.
         */
        FlagList: {
            /** Flags */
            flags: components["schemas"]["FlagOut"][];
            /**
             * Next
             * @description Where to go on (`after`), null at the end.
             */
            next: string | null;
        };
        /**
         * FlagMessage
         * @description A flag as the API shows it, and as it is now; null when it is not there.
         */
        FlagMessage: {
            /** App */
            app: string;
            /** Flag */
            flag: {
                [key: string]: unknown;
            } | null;
            /** Key */
            key: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "flag";
        };
        /**
         * FlagOut
         * @description A flag, as it is shown.
         */
        FlagOut: {
            /** Active */
            active: boolean;
            /** Allow */
            allow: string[];
            /** App */
            app: string;
            /**
             * Archived At
             * @description Since when sidecars do not get the flag; null: they do.
             */
            archived_at: string | null;
            /** Bucket By */
            bucket_by: string | null;
            circuit: components["schemas"]["CircuitOut"] | null;
            /** Created At */
            created_at: string;
            /** Deny */
            deny: string[];
            /** Description */
            description: string;
            /**
             * Expected End
             * Format: date
             */
            expected_end: string | null;
            /** Key */
            key: string;
            lifetime: components["schemas"]["Lifetime"];
            /** Metadata */
            metadata: {
                [key: string]: unknown;
            };
            /** Name */
            name: string;
            /** Off Variant */
            off_variant: string;
            /** Owner */
            owner: string | null;
            /** Requires */
            requires: components["schemas"]["RequirementFields"][];
            /** Rollout */
            rollout: number;
            /** Rules */
            rules: components["schemas"]["RuleOut"][];
            /** Salt */
            salt: string;
            /** Split */
            split: components["schemas"]["ShareFields"][];
            state: components["schemas"]["FlagStateOut"];
            /** Tags */
            tags: string[];
            type: components["schemas"]["ValueType"];
            /** Updated At */
            updated_at: string;
            /** Variants */
            variants: {
                [key: string]: unknown;
            };
            /** Version */
            version: number;
            /**
             * Warnings
             * @description What is allowed, and probably not meant.
             */
            warnings: string[];
        };
        /**
         * FlagSparkOut
         * @description Calls and error rate of one of many flags, one entry a bucket; null where nothing was counted.
         */
        FlagSparkOut: {
            /** Calls */
            calls: (number | null)[];
            /** Calls Per S */
            calls_per_s: (number | null)[];
            /** Counted */
            counted: boolean;
            /** Error Rate */
            error_rate: (number | null)[];
        };
        /**
         * FlagStateOut
         * @description What is true of a flag now. `sentence` is in UTC; `parts` has moments and ages as numbers (Unix milliseconds).
         */
        FlagStateOut: {
            arrived: components["schemas"]["ArrivedOut"];
            circuit: components["schemas"]["CircuitStateOut"] | null;
            /** Parts */
            parts: {
                [key: string]: unknown;
            }[][];
            /**
             * Published
             * @description False: not yet published. Null: not known, for want of NATS.
             */
            published: boolean | null;
            /** Sentence */
            sentence: string;
            /**
             * Settled
             * @enum {string}
             */
            settled: "on" | "off" | "open" | "recovering" | "held_off" | "unknown";
            /**
             * State
             * @enum {string}
             */
            state: "on" | "off" | "open" | "recovering" | "held_off" | "arriving" | "unknown";
            /** Word */
            word: string;
        };
        /**
         * GraphOut
         * @description The graph of one flag. `marks` are at most 500, newest first; `marks_omitted` says that there are more.
         */
        GraphOut: {
            /** App */
            app: string;
            evaluations: components["schemas"]["EvaluationsOut"];
            fallback: components["schemas"]["CallsOut"];
            feature: components["schemas"]["CallsOut"];
            /** Flag */
            flag: string;
            /** Latency */
            latency: {
                [key: string]: components["schemas"]["LatencyOut"];
            };
            /** Marks */
            marks: components["schemas"]["MarkOut"][];
            /** Marks Omitted */
            marks_omitted: boolean;
            points: components["schemas"]["Points"];
            thresholds: components["schemas"]["ThresholdsOut"];
        };
        /**
         * Hello
         * @description The first message.
         */
        Hello: {
            /** Cursor */
            cursor: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "hello";
            /**
             * Version
             * @default 1
             */
            version?: number;
        };
        /**
         * InvitationAccept
         * @description What the one who was invited says: the secret is what follows `#` in the link.
         */
        InvitationAccept: {
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /** Password */
            password: string;
            /** Secret */
            secret: string;
        };
        /**
         * InvitationCreate
         * @description An invitation, with what the new user is to be allowed.
         */
        InvitationCreate: {
            /**
             * Apps
             * @description Roles in single apps, by their keys; they add to the role over all.
             */
            apps?: {
                [key: string]: string;
            };
            /** Email */
            email: string;
            /**
             * Expires In S
             * @description How many seconds the link may be used.
             * @default 604800
             * @example 604800
             */
            expires_in_s?: number;
            /**
             * Role
             * @default null
             */
            role?: string | null;
        };
        /**
         * InvitationList
         * @description A page of invitations. `next` is where to go on (`after`), null at the end.
         */
        InvitationList: {
            /** Invitations */
            invitations: components["schemas"]["InvitationOut"][];
            /** Next */
            next: string | null;
        };
        /**
         * InvitationOut
         * @description An invitation that was not accepted yet.
         */
        InvitationOut: {
            /** Apps */
            apps: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Email */
            email: string;
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            /** Made By */
            made_by: string;
            /** Role */
            role: string | null;
            /**
             * User
             * @description The user that gets a new password by it; null for one who gets an account.
             */
            user: string | null;
        };
        /**
         * KeyCreate
         * @description A new SDK key. Its name is for people: where it is used, as a rule.
         */
        KeyCreate: {
            /** Name */
            name: string;
        };
        /**
         * KeyList
         * @description A page of an app's keys. `next` is where to go on (`after`), null at the end.
         */
        KeyList: {
            /** Keys */
            keys: components["schemas"]["KeyOut"][];
            /** Next */
            next: string | null;
        };
        /**
         * KeyOut
         * @description An SDK key, as it is shown: `id` is its third part.
         */
        KeyOut: {
            /** App */
            app: string;
            /** Created At */
            created_at: string;
            /** Created By */
            created_by: string;
            /** Id */
            id: string;
            /** Name */
            name: string;
        };
        /**
         * Kind
         * @description What form the receiver expects.
         * @enum {string}
         */
        Kind: "slack" | "generic";
        /**
         * LatencyOut
         * @description A percentile in milliseconds: an estimate, and the bounds between which it lies for certain.
         *
         *     `to_ms` null beside a number in `ms`: longer than that, nobody knows how much.
         */
        LatencyOut: {
            /** From Ms */
            from_ms: (number | null)[];
            /** Ms */
            ms: (number | null)[];
            /** To Ms */
            to_ms: (number | null)[];
        };
        /**
         * Lifetime
         * @description How long a flag is meant to be there.
         * @enum {string}
         */
        Lifetime: "permanent" | "temporary";
        /**
         * LimitOut
         * @description What the preview does not know: a code for programs, a sentence for people.
         */
        LimitOut: {
            /** Code */
            code: string;
            /** Message */
            message: string;
        };
        /**
         * Line
         * @description A line of a flag, in the order of evaluation.
         * @enum {string}
         */
        Line: "unknown" | "active" | "circuit" | "requires" | "deny" | "allow" | "rule" | "rollout";
        /**
         * LinkCreate
         * @description A viewer link.
         */
        LinkCreate: {
            /**
             * App
             * @description The only app that is seen; null for all.
             * @default null
             */
            app?: string | null;
            /**
             * Expires In S
             * @description How many seconds the link may be used.
             * @default 86400
             */
            expires_in_s?: number;
            /** Name */
            name: string;
            /**
             * Path
             * @description The page of the dashboard that it opens; null for the first.
             * @default null
             */
            path?: string | null;
            /**
             * Session S
             * @description How many seconds the session lives that it opens.
             * @default 28800
             */
            session_s?: number;
        };
        /**
         * LinkList
         * @description A page of viewer links. `next` is where to go on (`after`), null at the end.
         */
        LinkList: {
            /** Links */
            links: components["schemas"]["LinkOut"][];
            /** Next */
            next: string | null;
        };
        /**
         * LinkOut
         * @description A viewer link: never its secret.
         */
        LinkOut: {
            /** App */
            app: string | null;
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            /** Made By */
            made_by: string;
            /** Name */
            name: string;
            /** Session S */
            session_s: number;
            /** Used At */
            used_at: string | null;
            /**
             * Used From
             * @description The address that it was used from.
             */
            used_from: string | null;
        };
        /**
         * LinkUse
         * @description The secret of a link: what follows `#` in it.
         */
        LinkUse: {
            /** Secret */
            secret: string;
        };
        /**
         * ListedSegmentOut
         * @description A segment in a list: numbers stand in the place of members.
         */
        ListedSegmentOut: {
            /** App */
            app: string;
            /** Conditions */
            conditions: number;
            /** Created At */
            created_at: string;
            /** Description */
            description: string;
            /** Excluded */
            excluded: number;
            /** Included */
            included: number;
            /** Key */
            key: string;
            /** Updated At */
            updated_at: string;
            /** Version */
            version: number;
            /**
             * When
             * @description At most 20 of the conditions, of each at most 20 values.
             */
            when: components["schemas"]["ConditionFields"][];
        };
        /**
         * LocalGuardFields
         * @description When a sidecar stops sending to the feature by itself.
         */
        LocalGuardFields: {
            /**
             * Consecutive Failures
             * @description Calls in a row that found no connection, or lost it before an answer.
             * @default 5
             */
            consecutive_failures?: number;
            /**
             * Max Ms
             * @description How long it sends nobody to the feature then, at most.
             * @default 2000
             */
            max_ms?: number;
        };
        /**
         * LogIn
         * @description A log-in with a password.
         */
        LogIn: {
            /** Email */
            email: string;
            /** Password */
            password: string;
        };
        /**
         * LogMessage
         * @description An entry of the log, to those who want the log.
         */
        LogMessage: {
            /** Cursor */
            cursor: string;
            /** Entry */
            entry: {
                [key: string]: unknown;
            };
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "log";
        };
        /**
         * LogPage
         * @description A page of the log, newest first. `next` is where to go on (`after`), null at the end.
         */
        LogPage: {
            /** Entries */
            entries: components["schemas"]["EntryOut"][];
            /** Next */
            next: string | null;
        };
        /**
         * MarkOut
         * @description What has happened to a flag or its circuit: an entry of the log, for a mark in the graph.
         *
         *     `state` and `percentage` are those of the circuit afterwards, where the entry is about it.
         */
        MarkOut: {
            /** Action */
            action: string;
            /** Actor */
            actor: string;
            /** At */
            at: string;
            /** Id */
            id: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "flag" | "circuit";
            /** Percentage */
            percentage: number | null;
            /** Sentence */
            sentence: string;
            /** State */
            state: string | null;
        };
        /**
         * MissingOut
         * @description A sidecar in which the last change is not known to have arrived.
         */
        MissingOut: {
            /** Instance */
            instance: string;
            /** Last Heard At */
            last_heard_at: string;
            /**
             * Why
             * @enum {string}
             */
            why: "silent" | "behind" | "refused";
        };
        /**
         * NewInvitationOut
         * @description An invitation with its link, which is shown this once.
         */
        NewInvitationOut: {
            /** Apps */
            apps: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Email */
            email: string;
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            /** Made By */
            made_by: string;
            /** Role */
            role: string | null;
            /** Url */
            url: string;
            /**
             * User
             * @description The user that gets a new password by it; null for one who gets an account.
             */
            user: string | null;
        };
        /**
         * NewKeyOut
         * @description A new SDK key. `key` is shown this once, and set as `TAILSLIDE_SDK_KEY` where the app's sidecars run.
         */
        NewKeyOut: {
            /** App */
            app: string;
            /** Created At */
            created_at: string;
            /** Created By */
            created_by: string;
            /** Id */
            id: string;
            /** Key */
            key: string;
            /** Name */
            name: string;
        };
        /**
         * NewLinkOut
         * @description A viewer link with its URL, which is shown this once.
         */
        NewLinkOut: {
            /** App */
            app: string | null;
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            /** Made By */
            made_by: string;
            /** Name */
            name: string;
            /** Session S */
            session_s: number;
            /** Url */
            url: string;
            /** Used At */
            used_at: string | null;
            /**
             * Used From
             * @description The address that it was used from.
             */
            used_from: string | null;
        };
        /**
         * NewTokenOut
         * @description A token with its secret, which is shown this once.
         */
        NewTokenOut: {
            /** Apps */
            apps: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Id */
            id: string;
            /**
             * Last Used At
             * @description To the minute.
             */
            last_used_at: string | null;
            /** Last Used From */
            last_used_from: string | null;
            /** Made By */
            made_by: string;
            /** Name */
            name: string;
            owner: components["schemas"]["TokenOwner"] | null;
            /**
             * Previous Until
             * @description Until when the secret before the last rotation still counts.
             */
            previous_until: string | null;
            /** Role */
            role: string | null;
            /** Rotated At */
            rotated_at: string | null;
            /** Token */
            token: string;
        };
        /**
         * NoFields
         * @description The body of a request that has nothing to say.
         */
        NoFields: Record<string, never>;
        /**
         * NotPublishing
         * @description That no change reaches a sidecar until a person decides which database fills NATS.
         */
        NotPublishing: {
            /**
             * Cause
             * @description another_database, older_database, unknown_flags, newer_flags
             */
            cause: string;
            /**
             * Problem
             * @description What is the matter, in a sentence.
             */
            problem: string;
            /**
             * Remedy
             * @description What to do about it.
             */
            remedy: string;
        };
        /**
         * Occasion
         * @description What a webhook may be told of.
         * @enum {string}
         */
        Occasion: "opened" | "recovering" | "closed" | "reopened" | "reset" | "toggled" | "changed" | "nothing_judged" | "sidecar_lost";
        /**
         * OidcOut
         * @description The provider that people may log in at.
         */
        OidcOut: {
            /** Name */
            name: string;
            /** Url */
            url: string;
        };
        /**
         * OpeningOut
         * @description The last time that a circuit opened. `closed_at` is null while it has not closed, or that was not seen.
         */
        OpeningOut: {
            /** At */
            at: string | null;
            /** Closed At */
            closed_at: string | null;
            reason: components["schemas"]["ReasonOut"] | null;
        };
        /**
         * Outcome
         * @description What a condition came to.
         * @enum {string}
         */
        Outcome: "held" | "failed" | "missing";
        /**
         * PasswordChange
         * @description A new password; the present one is needed where there is one.
         */
        PasswordChange: {
            /**
             * Current Password
             * @default null
             */
            current_password?: string | null;
            /** New Password */
            new_password: string;
        };
        /**
         * Points
         * @description The buckets of a graph: `points` of `resolution_ms`, the first of which begins at `from_ms`.
         *
         *     `now_ms` is the time by the clock of Redis; the bucket that holds it is not complete. `source` says what the graph
         *     is made of: `raw` samples, or sums of `10s` or `1m`.
         */
        Points: {
            /** From Ms */
            from_ms: number;
            /** Now Ms */
            now_ms: number;
            /** Points */
            points: number;
            /** Resolution Ms */
            resolution_ms: number;
            /** Source */
            source: string;
            /** To Ms */
            to_ms: number;
        };
        /**
         * PointsFields
         * @description Graph points of some flags.
         */
        PointsFields: {
            /**
             * Every Ms
             * @default 1000
             */
            every_ms?: number;
            /** Flags */
            flags: string[];
        };
        /**
         * PointsMessage
         * @description The last buckets of flags, by `<app>.<flag>`: calls and failures, null where nothing was counted.
         *
         *     A bucket is sent again while it may still grow; the last sent counts. Without Redis `available` is false.
         */
        PointsMessage: {
            /** At Ms */
            at_ms: number[];
            /** Available */
            available: boolean;
            /**
             * Detail
             * @default null
             */
            detail?: string | null;
            /** Flags */
            flags: {
                [key: string]: {
                    [key: string]: (number | null)[];
                };
            };
            /**
             * Now Ms
             * @default null
             */
            now_ms?: number | null;
            /** Resolution Ms */
            resolution_ms: number;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "points";
        };
        /**
         * PreviewAsked
         * @description Settings of the flag's circuit, as in a change of it: what is not given stays as it is.
         */
        PreviewAsked: {
            /**
             * @default {
             *       "confidence": 0.9999,
             *       "error_threshold": 50,
             *       "failure_statuses": [
             *         "5xx"
             *       ],
             *       "forced_open": false,
             *       "local_guard": null,
             *       "long_window_ms": 1800000,
             *       "min_calls": 10,
             *       "recovery": {
             *         "delay_ms": 30000,
             *         "increment": 10,
             *         "initial": 10,
             *         "interval_ms": 5000,
             *         "max_delay_ms": 600000,
             *         "profile": "linear"
             *       },
             *       "reset_generation": null,
             *       "slow_call_ms": null,
             *       "slow_threshold": null,
             *       "window_ms": 10000
             *     }
             */
            circuit?: components["schemas"]["CircuitFields"];
            /**
             * Range
             * @default 1h
             * @enum {string}
             */
            range?: "1h" | "24h";
        };
        /**
         * PreviewOut
         * @description What the settings would have done.
         */
        PreviewOut: {
            /** App */
            app: string;
            avoided: components["schemas"]["AvoidedOut"];
            /** Calls */
            calls: number;
            /**
             * Counted
             * @description Whether calls of the flag are counted at all.
             */
            counted: boolean;
            /** Failures */
            failures: number;
            /** Flag */
            flag: string;
            /** Limits */
            limits: components["schemas"]["LimitOut"][];
            /**
             * Omitted Transitions
             * @description Transitions before those that are listed.
             */
            omitted_transitions: number;
            /** Open Ms */
            open_ms: number;
            /**
             * Opened
             * @description How often it would have opened.
             */
            opened: number;
            points: components["schemas"]["Points"];
            /** Recovering Ms */
            recovering_ms: number;
            /**
             * Settings
             * @description The settings of the circuit that were tried, in full.
             */
            settings: {
                [key: string]: unknown;
            };
            /**
             * State
             * @description The state at the end.
             */
            state: string;
            /** Transitions */
            transitions: components["schemas"]["SimulatedTransitionOut"][];
        };
        /**
         * PrincipalOut
         * @description Who asks, and what they may do.
         */
        PrincipalOut: {
            /**
             * Apps
             * @description Roles in single apps; they add to the role over all.
             */
            apps: {
                [key: string]: string;
            };
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Name */
            name: string;
            /**
             * Role
             * @description The role over all apps.
             */
            role: string | null;
        };
        /**
         * Problem
         * @description An error (RFC 9457). Some have more members: `current` in a 412 is the resource as it is now.
         */
        Problem: {
            /**
             * Code
             * @description For programs: it does not change.
             */
            code: string;
            /**
             * Detail
             * @description One sentence for people.
             */
            detail: string;
            /**
             * Field
             * @description What is at fault: a path in the body, a parameter, a header.
             * @default null
             */
            field?: string | null;
            /** Status */
            status: number;
            /** Title */
            title: string;
            /** Type */
            type: string;
        } & {
            [key: string]: unknown;
        };
        /**
         * RampProfile
         * @description How the percentage grows.
         * @enum {string}
         */
        RampProfile: "linear" | "exponential";
        /**
         * Reason
         * @description Why the answer is what it is.
         * @enum {string}
         */
        Reason: "FLAG_NOT_FOUND" | "DISABLED" | "CIRCUIT_OPEN" | "PREREQUISITE_FAILED" | "STATIC" | "TARGETING_MATCH" | "SPLIT" | "TARGETING_KEY_MISSING";
        /**
         * ReasonOut
         * @description Why a circuit opened, in numbers: percentages 0 to 100.
         */
        ReasonOut: {
            /** Calls */
            calls: number;
            /** Observed */
            observed: number;
            /** Rule */
            rule: string;
            /** Sentence */
            sentence: string;
            /** Threshold */
            threshold: number;
            /** Window Ms */
            window_ms: number;
        };
        /**
         * RecoveryFields
         * @description How a circuit lets users back in.
         */
        RecoveryFields: {
            /**
             * Delay Ms
             * @description How long it stays open at first; doubled with each further trip in a row.
             * @default 30000
             */
            delay_ms?: number;
            /**
             * Increment
             * @description Linear: points that a step adds. Exponential: percent that a step adds.
             * @default 10
             */
            increment?: number;
            /**
             * Initial
             * @description Percent of the rollout in the first step.
             * @default 10
             */
            initial?: number;
            /**
             * Interval Ms
             * @description Length of a step.
             * @default 5000
             */
            interval_ms?: number;
            /**
             * Max Delay Ms
             * @description How long it stays open at most.
             * @default 600000
             */
            max_delay_ms?: number;
            /**
             * Profile
             * @description How the percentage grows.
             * @default linear
             * @enum {string}
             */
            profile?: "linear" | "exponential";
        };
        /**
         * RecoveryOut
         * @description How a circuit lets users back in.
         */
        RecoveryOut: {
            /** Delay Ms */
            delay_ms: number;
            /** Increment */
            increment: number;
            /** Initial */
            initial: number;
            /** Interval Ms */
            interval_ms: number;
            /** Max Delay Ms */
            max_delay_ms: number;
            profile: components["schemas"]["RampProfile"];
        };
        /**
         * RequirementFields
         * @description A prerequisite: another flag of the app has to give the user one of these variants.
         */
        RequirementFields: {
            /** Flag */
            flag: string;
            /**
             * Variants
             * @description null is any but that flag's off variant.
             * @default null
             */
            variants?: string[] | null;
        };
        /**
         * ResetLinkCreate
         * @description A link by which a user sets a new password.
         */
        ResetLinkCreate: {
            /**
             * Expires In S
             * @description How many seconds the link may be used.
             * @default 86400
             * @example 604800
             */
            expires_in_s?: number;
        };
        /**
         * ResyncMessage
         * @description More has changed than is told one by one: read again what you show; changes go on from here.
         */
        ResyncMessage: {
            /**
             * Reason
             * @default too_many_changes
             * @constant
             */
            reason?: "too_many_changes";
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "resync";
        };
        /**
         * RollBack
         * @description Make a flag as it was in an earlier version.
         */
        RollBack: {
            /** Version */
            version: number;
        };
        /**
         * RuleFields
         * @description What users get for whom all conditions hold: a rollout and a split, or one variant for all of them.
         *
         *     `rollout` has to be given unless `split` or `variant` is; without `split` the flag's counts.
         */
        RuleFields: {
            /**
             * Name
             * @description What answers and graphs call the rule; without one it is its place.
             * @default null
             */
            name?: string | null;
            /**
             * Rollout
             * @description Percent of the users for whom the conditions hold.
             * @default 100
             */
            rollout?: number;
            /**
             * Split
             * @description What those who are in get; null is the flag's split.
             * @default null
             */
            split?: components["schemas"]["ShareFields"][] | null;
            /**
             * Variant
             * @description In place of rollout and split: what all of them get.
             * @default null
             */
            variant?: string | null;
            /**
             * When
             * @description All of them have to hold.
             */
            when: components["schemas"]["ConditionFields"][];
        };
        /**
         * RuleOut
         * @description A rule: a rollout with or without a split, or one variant for all.
         */
        RuleOut: {
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /**
             * Rollout
             * @description Not there beside `variant`.
             * @default 100
             */
            rollout?: number;
            /**
             * Split
             * @default null
             */
            split?: components["schemas"]["ShareFields"][] | null;
            /**
             * Variant
             * @default null
             */
            variant?: string | null;
            /** When */
            when: components["schemas"]["ConditionFields"][];
        };
        /**
         * SegmentChange
         * @description A change of a segment.
         */
        SegmentChange: {
            /**
             * Description
             * @default
             */
            description?: string;
            /** Exclude */
            exclude?: string[];
            /** Include */
            include?: string[];
            /** When */
            when?: components["schemas"]["ConditionFields"][];
        };
        /**
         * SegmentCreate
         * @description A new segment.
         */
        SegmentCreate: {
            /**
             * Description
             * @default
             */
            description?: string;
            /** Exclude */
            exclude?: string[];
            /** Include */
            include?: string[];
            /** Key */
            key: string;
            /** When */
            when?: components["schemas"]["ConditionFields"][];
        };
        /**
         * SegmentList
         * @description A page of segments. `next` is where to go on (`after`), null at the end.
         */
        SegmentList: {
            /** Next */
            next: string | null;
            /** Segments */
            segments: components["schemas"]["ListedSegmentOut"][];
        };
        /**
         * SegmentMembers
         * @description Members to add to one of the lists and to remove from it; the others stay.
         */
        SegmentMembers: {
            /** Add */
            add?: string[];
            /**
             * List
             * @default include
             * @enum {string}
             */
            list?: "include" | "exclude";
            /** Remove */
            remove?: string[];
        };
        /**
         * SegmentOut
         * @description A segment, as it is shown.
         */
        SegmentOut: {
            /** App */
            app: string;
            /** Created At */
            created_at: string;
            /** Description */
            description: string;
            /** Exclude */
            exclude: string[];
            /** Include */
            include: string[];
            /** Key */
            key: string;
            /** Updated At */
            updated_at: string;
            /** Version */
            version: number;
            /**
             * Warnings
             * @description What is allowed, and probably not meant.
             */
            warnings: string[];
            /** When */
            when: components["schemas"]["ConditionFields"][];
        };
        /**
         * SessionList
         * @description One's own sessions, the one used last first.
         */
        SessionList: {
            /** Sessions */
            sessions: components["schemas"]["SessionSummary"][];
        };
        /**
         * SessionOut
         * @description Who asks. Nobody does where `principal` is null.
         */
        SessionOut: {
            /**
             * Csrf Token
             * @description What X-CSRF-Token has to have in changes with this session.
             */
            csrf_token: string | null;
            log_in: components["schemas"]["WaysIn"];
            principal: components["schemas"]["PrincipalOut"] | null;
            /** @description Null where an API token asks. */
            session: components["schemas"]["SessionSummary"] | null;
        };
        /**
         * SessionSummary
         * @description A session.
         */
        SessionSummary: {
            /** Address */
            address: string;
            /** Created At */
            created_at: string;
            /**
             * Current
             * @description Whether it is the session that asks.
             */
            current: boolean;
            /**
             * Ends At
             * @description When it ends unless it is used.
             */
            ends_at: string;
            /**
             * Expires At
             * @description When it ends in any case.
             */
            expires_at: string;
            /** Id */
            id: string;
            /**
             * Last Used At
             * @description To the minute.
             */
            last_used_at: string;
            /** Method */
            method: string;
            /** User Agent */
            user_agent: string;
        };
        /**
         * SetUp
         * @description The admin to be made, or to be let in again: the secret is what follows `#` in the link.
         */
        SetUp: {
            /** Email */
            email: string;
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /** Password */
            password: string;
            /** Secret */
            secret: string;
        };
        /**
         * ShareFields
         * @description How many of those who are in get a variant.
         */
        ShareFields: {
            /** Variant */
            variant: string;
            /**
             * Weight
             * @description Parts of the sum of all weights.
             */
            weight: number;
        };
        /**
         * SidecarList
         * @description A page of sidecars. `next` is where to go on (`after`), null at the end.
         *
         *     `listening` is false while this Tower hears nothing of sidecars itself; then nothing follows from their silence. A
         *     Tower that has just started knows only those that it has heard from since.
         */
        SidecarList: {
            /**
             * Counts
             * @description Of all sidecars that the list is about, not of the page alone.
             */
            counts: {
                [key: string]: number;
            };
            /** Listening */
            listening: boolean;
            /** Next */
            next: string | null;
            /** Sidecars */
            sidecars: components["schemas"]["SidecarOut"][];
        };
        /**
         * SidecarMessage
         * @description A sidecar as the API shows it; null when it is no longer known.
         */
        SidecarMessage: {
            /** App */
            app: string;
            /** Instance */
            instance: string;
            /** Sidecar */
            sidecar: {
                [key: string]: unknown;
            } | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "sidecar";
        };
        /**
         * SidecarOut
         * @description A sidecar, by its own account, and when this Tower has last heard from it.
         *
         *     `status`: `current` has taken in all that is published of its app, `behind` has not, `silent` has not been heard
         *     from for 30 s. `revision` is that of the bucket of rulesets; `age_ms` is how long ago the sidecar heard from NATS
         *     when it wrote this. Of many flags only some are named, and all are counted.
         */
        SidecarOut: {
            /** Age Ms */
            age_ms: number | null;
            /** App */
            app: string;
            /** Host */
            host: string;
            /** Instance */
            instance: string;
            /** Last Heard At */
            last_heard_at: string;
            /** Listeners */
            listeners: string[];
            /**
             * Refused
             * @description Flags whose last ruleset it could not read.
             */
            refused: string[];
            /** Refused Count */
            refused_count: number;
            /** Revision */
            revision: number;
            /** Route Flags */
            route_flags: string[];
            /** Route Flags Count */
            route_flags_count: number;
            /**
             * Silent Ms
             * @description For how long nothing was heard from it.
             */
            silent_ms: number;
            /**
             * Source
             * @description `jetstream`, `snapshot`, or null while it knows nothing.
             */
            source: string | null;
            /** Started At */
            started_at: string;
            /**
             * Status
             * @enum {string}
             */
            status: "current" | "behind" | "silent";
            /** Version */
            version: string;
        };
        /**
         * SimulatedTransitionOut
         * @description One move of the simulated circuit; `reason` with those that opened it. `lasted_ms`: to the next, or the end.
         */
        SimulatedTransitionOut: {
            /** At Ms */
            at_ms: number;
            /** Lasted Ms */
            lasted_ms: number;
            /** Percentage */
            percentage: number;
            reason: components["schemas"]["TripReasonOut"] | null;
            /** Signal */
            signal: string;
            /** State */
            state: string;
        };
        /**
         * SparksAsked
         * @description Which flags, as `<app>.<flag>`, and what time.
         */
        SparksAsked: {
            /** Flags */
            flags: string[];
            /**
             * Range
             * @default 1h
             * @enum {string}
             */
            range?: "1m" | "5m" | "1h" | "24h" | "7d" | "30d";
            /**
             * Resolution Ms
             * @default null
             */
            resolution_ms?: number | null;
        };
        /**
         * SparksOut
         * @description Graphs of many flags, by `<app>.<flag>`, on the same buckets.
         */
        SparksOut: {
            /** Flags */
            flags: {
                [key: string]: components["schemas"]["FlagSparkOut"];
            };
            points: components["schemas"]["Points"];
        };
        /**
         * State
         * @description What a circuit does with users: lets all in, lets none in, or lets a growing part back in.
         * @enum {string}
         */
        State: "closed" | "open" | "recovering";
        /**
         * Status
         * @description Whether a sidecar is heard from, and up to date.
         * @enum {string}
         */
        Status: "current" | "behind" | "silent";
        /**
         * StatusMessage
         * @description Whether changes are followed now. While they are not, nothing comes; nothing is lost either.
         */
        StatusMessage: {
            /**
             * Detail
             * @default null
             */
            detail?: string | null;
            /** Following */
            following: boolean;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "status";
        };
        /**
         * StatusOut
         * @description What needs attention: circuits that are open, then those that recover, then flags that a person holds off.
         */
        StatusOut: {
            /** Flags */
            flags: components["schemas"]["FlagInTrouble"][];
            /** @description Null where this Tower may publish. */
            not_publishing: components["schemas"]["NotPublishing"] | null;
            /**
             * Sentence
             * @description All of it in one sentence; with nothing open, when the last trip was.
             */
            sentence: string;
            /**
             * Troubles
             * @description What keeps Tailslide from its work now, a sentence each.
             */
            troubles: string[];
        };
        /**
         * SubjectOut
         * @description What an entry is about.
         */
        SubjectOut: {
            /** App */
            app: string | null;
            /** Key */
            key: string | null;
            /** Kind */
            kind: string;
        };
        /**
         * Subscribed
         * @description A subscription was taken. With `resync`, what the client holds may be out of date, for this reason.
         */
        Subscribed: {
            /** Cursor */
            cursor: string;
            /**
             * Resync
             * @default null
             */
            resync?: ("cursor_too_old" | "cursor_unknown") | null;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "subscribed";
        };
        /**
         * SubscribeFields
         * @description What a client wants to be told of; it takes the place of what it wanted before.
         *
         *     `apps` are apps whose flags it follows, `"*"` all that it may view; `flags` are single flags in addition. `log` and
         *     `sidecars` are of those apps. With `snapshot` it is sent all of that as it is now. With `refresh_ms` single flags
         *     are looked at again so often, for what their states say of calls and of time.
         */
        SubscribeFields: {
            /** Apps */
            apps?: string[] | "*";
            /** Flags */
            flags?: string[];
            /**
             * Log
             * @default false
             */
            log?: boolean;
            /** @default null */
            points?: components["schemas"]["PointsFields"] | null;
            /**
             * Refresh Ms
             * @default null
             */
            refresh_ms?: number | null;
            /**
             * Sidecars
             * @default false
             */
            sidecars?: boolean;
            /**
             * Snapshot
             * @default true
             */
            snapshot?: boolean;
        };
        /**
         * ThresholdsOut
         * @description What would open the circuit, in percent; null where the flag has no circuit or does not judge slow calls.
         *
         *     `opens_at_error_rate` is, for each bucket, the least error rate that would open it at that bucket's number of calls,
         *     null where no rate would.
         */
        ThresholdsOut: {
            /** Error Rate */
            error_rate: number | null;
            /** Min Calls */
            min_calls: number | null;
            /** Opens At Error Rate */
            opens_at_error_rate: (number | null)[];
            /** Slow Rate */
            slow_rate: number | null;
        };
        /**
         * Toggle
         * @description Turn a flag on or off; without `active`, the other way round.
         */
        Toggle: {
            /**
             * Active
             * @default false
             */
            active?: boolean;
        };
        /**
         * TokenCreate
         * @description A new token. Without roles it has those of whoever makes it.
         */
        TokenCreate: {
            /**
             * Apps
             * @description Roles in single apps, by their keys; they add to the role over all.
             */
            apps?: {
                [key: string]: string;
            };
            /**
             * Expires In S
             * @default null
             */
            expires_in_s?: number | null;
            /** Name */
            name: string;
            /**
             * Role
             * @default null
             */
            role?: string | null;
            /**
             * Shared
             * @description Whether it is nobody's own, and so outlives who makes it. For admins over all apps.
             * @default false
             */
            shared?: boolean;
        };
        /**
         * TokenList
         * @description A page of tokens. `next` is where to go on (`after`), null at the end.
         */
        TokenList: {
            /** Next */
            next: string | null;
            /** Tokens */
            tokens: components["schemas"]["TokenOut"][];
        };
        /**
         * TokenOut
         * @description A token, as it is shown: never its secret.
         */
        TokenOut: {
            /** Apps */
            apps: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Id */
            id: string;
            /**
             * Last Used At
             * @description To the minute.
             */
            last_used_at: string | null;
            /** Last Used From */
            last_used_from: string | null;
            /** Made By */
            made_by: string;
            /** Name */
            name: string;
            owner: components["schemas"]["TokenOwner"] | null;
            /**
             * Previous Until
             * @description Until when the secret before the last rotation still counts.
             */
            previous_until: string | null;
            /** Role */
            role: string | null;
            /** Rotated At */
            rotated_at: string | null;
        };
        /**
         * TokenOwner
         * @description The user that a token belongs to.
         */
        TokenOwner: {
            /** Email */
            email: string | null;
            /** Id */
            id: string;
        };
        /**
         * TokenRotate
         * @description How a token is rotated.
         */
        TokenRotate: {
            /**
             * Expires In S
             * @description Another life from now on, in seconds. Not for a token that rotates itself.
             * @default null
             */
            expires_in_s?: number | null;
            /**
             * Grace S
             * @description How many seconds the secret that it has until now still counts.
             * @default 3600
             */
            grace_s?: number;
        };
        /**
         * ToldConditionOut
         * @description A condition, and what it came to.
         */
        ToldConditionOut: {
            /** Attribute */
            attribute: string;
            /** Ignore Case */
            ignore_case: boolean;
            /** Negate */
            negate: boolean;
            /** Operator */
            operator: string;
            outcome: components["schemas"]["Outcome"];
            /**
             * Value
             * @description The attribute's value as JSON, cut off where it is long; null: missing.
             */
            value: string | null;
            /**
             * Values
             * @description At most 20 of them.
             */
            values: unknown[];
        };
        /**
         * ToldRequirementOut
         * @description A prerequisite, and the other flag's answer.
         */
        ToldRequirementOut: {
            /** Active */
            active: boolean;
            /** Flag */
            flag: string;
            /**
             * Is Cycle
             * @description Whether it is unmet since flags require each other, or too many in a row.
             */
            is_cycle: boolean;
            /**
             * Met
             * @description null: it depends on the targeting key, which is missing.
             */
            met: boolean | null;
            reason: components["schemas"]["Reason"];
            /** Variant */
            variant: string | null;
            /**
             * Variants
             * @description Those that count.
             */
            variants: string[];
        };
        /**
         * ToldRolloutOut
         * @description Whether the user is in by a rollout, and what the split gives.
         */
        ToldRolloutOut: {
            /**
             * Bucket
             * @description The user's, from 0 to 99,999.
             */
            bucket: number | null;
            /**
             * Is In
             * @description null: the key is missing.
             */
            is_in: boolean | null;
            /**
             * Key
             * @description What users are bucketed by; null: missing.
             */
            key: string | null;
            /**
             * Limit
             * @description Users are in whose bucket is below it.
             */
            limit: number;
            /**
             * Percentage
             * @description What a recovering circuit leaves of the rollout; else 100.
             */
            percentage: number;
            /** Rollout */
            rollout: number;
            /** Split */
            split: components["schemas"]["ShareFields"][];
            /** Split Bucket */
            split_bucket: number | null;
            /**
             * Variant
             * @description What the split gives this user if in.
             */
            variant: string | null;
        };
        /**
         * ToldRuleOut
         * @description A rule, and each of its conditions.
         */
        ToldRuleOut: {
            /** Conditions */
            conditions: components["schemas"]["ToldConditionOut"][];
            /**
             * Decides
             * @description Whether it is the first that matches.
             */
            decides: boolean;
            /**
             * Matched
             * @description Whether all conditions hold.
             */
            matched: boolean;
            /** Name */
            name: string;
            rollout: components["schemas"]["ToldRolloutOut"];
        };
        /**
         * TripReasonOut
         * @description Why a circuit opened: percentages over `calls` calls of the last `window_ms`.
         */
        TripReasonOut: {
            /** Calls */
            calls: number;
            /** Lower Bound */
            lower_bound: number;
            /** Observed */
            observed: number;
            /** Rule */
            rule: string;
            /** Threshold */
            threshold: number;
            /** Window Ms */
            window_ms: number;
        };
        /**
         * UserChange
         * @description A change of a user: what is missing stays. `role` null is no role over all apps; `apps` replaces all of them.
         */
        UserChange: {
            /**
             * Apps
             * @description Roles in single apps, by their keys; they add to the role over all.
             */
            apps?: {
                [key: string]: string;
            };
            /**
             * Disabled
             * @default false
             */
            disabled?: boolean;
            /**
             * Name
             * @default
             */
            name?: string;
            /**
             * Role
             * @default null
             */
            role?: string | null;
        };
        /**
         * UserList
         * @description A page of users. `next` is where to go on (`after`), null at the end.
         */
        UserList: {
            /** Next */
            next: string | null;
            /** Users */
            users: components["schemas"]["UserOut"][];
        };
        /**
         * UserOut
         * @description A user, as admins and the user see it.
         */
        UserOut: {
            /** Apps */
            apps: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Disabled */
            disabled: boolean;
            /** Email */
            email: string;
            /** Has Password */
            has_password: boolean;
            /** Id */
            id: string;
            /** Last Login At */
            last_login_at: string | null;
            /** Name */
            name: string;
            /**
             * Oidc
             * @description Whether the user has logged in through the provider.
             */
            oidc: boolean;
            /** Role */
            role: string | null;
            /** Updated At */
            updated_at: string;
            /** Version */
            version: number;
        };
        /**
         * ValueType
         * @description What kind of value a flag gives.
         * @enum {string}
         */
        ValueType: "boolean" | "string" | "number" | "object";
        /**
         * VersionList
         * @description A page of a flag's versions, newest first.
         */
        VersionList: {
            /** Next */
            next: string | null;
            /** Versions */
            versions: components["schemas"]["VersionOut"][];
        };
        /**
         * VersionOut
         * @description A version of a flag that can be rolled back to.
         */
        VersionOut: {
            /** Action */
            action: string;
            actor: components["schemas"]["ActorOut"];
            /** At */
            at: string;
            /** Current */
            current: boolean;
            /**
             * Entry
             * @description The id of its entry in the log.
             */
            entry: number;
            /** Reason */
            reason: string | null;
            /** Sentence */
            sentence: string;
            /** Version */
            version: number;
        };
        /**
         * WaysIn
         * @description How one may log in.
         */
        WaysIn: {
            oidc: components["schemas"]["OidcOut"] | null;
            /** Password */
            password: boolean;
        };
        /**
         * WebhookChange
         * @description A change of a webhook: what is missing stays. What it is about and its kind stay in any case.
         */
        WebhookChange: {
            /**
             * Enabled
             * @default true
             */
            enabled?: boolean;
            /**
             * Name
             * @default
             */
            name?: string;
            /** Occasions */
            occasions?: components["schemas"]["Occasion"][];
            /**
             * Url
             * @default
             */
            url?: string;
        };
        /**
         * WebhookCreate
         * @description A new webhook. Without `flag` it is about all flags of the app, without `app` about all apps.
         */
        WebhookCreate: {
            /**
             * App
             * @default null
             */
            app?: string | null;
            /**
             * Enabled
             * @default true
             */
            enabled?: boolean;
            /**
             * Flag
             * @default null
             */
            flag?: string | null;
            /** @description The form that the receiver expects. */
            kind: components["schemas"]["Kind"];
            /** Name */
            name: string;
            /** Occasions */
            occasions?: components["schemas"]["Occasion"][];
            /**
             * Url
             * @description http or https, to a public address or one that Tower's settings allow.
             */
            url: string;
        };
        /**
         * WebhookList
         * @description A page of webhooks. `next` is where to go on (`after`), null at the end.
         */
        WebhookList: {
            /** Next */
            next: string | null;
            /** Webhooks */
            webhooks: components["schemas"]["WebhookOut"][];
        };
        /**
         * WebhookOut
         * @description A webhook, as it is shown. `url` ends in `…` for those who may not change the webhook: it is a secret.
         */
        WebhookOut: {
            /** App */
            app: string | null;
            /** Created At */
            created_at: string;
            /**
             * Disabled Reason
             * @description Why Tower has disabled it; null where a person has, or nobody.
             */
            disabled_reason: string | null;
            /** Enabled */
            enabled: boolean;
            /** Flag */
            flag: string | null;
            /** Id */
            id: string;
            kind: components["schemas"]["Kind"];
            /** Name */
            name: string;
            /** Occasions */
            occasions: components["schemas"]["Occasion"][];
            /**
             * Old Secret Until
             * @description Until when messages are signed with the secret before, too.
             */
            old_secret_until: string | null;
            /**
             * Signed
             * @description Whether its messages are signed.
             */
            signed: boolean;
            /** Updated At */
            updated_at: string;
            /** Url */
            url: string;
            /** Version */
            version: number;
        };
        /**
         * WebhookSecretOut
         * @description A webhook with its secret, which is shown once; null where the kind has none.
         */
        WebhookSecretOut: {
            /** App */
            app: string | null;
            /** Created At */
            created_at: string;
            /**
             * Disabled Reason
             * @description Why Tower has disabled it; null where a person has, or nobody.
             */
            disabled_reason: string | null;
            /** Enabled */
            enabled: boolean;
            /** Flag */
            flag: string | null;
            /** Id */
            id: string;
            kind: components["schemas"]["Kind"];
            /** Name */
            name: string;
            /** Occasions */
            occasions: components["schemas"]["Occasion"][];
            /**
             * Old Secret Until
             * @description Until when messages are signed with the secret before, too.
             */
            old_secret_until: string | null;
            /** Secret */
            secret: string | null;
            /**
             * Signed
             * @description Whether its messages are signed.
             */
            signed: boolean;
            /** Updated At */
            updated_at: string;
            /** Url */
            url: string;
            /** Version */
            version: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show one's own account */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserOut"];
                };
            };
        };
    };
    change_account: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AccountChange"];
            };
        };
        responses: {
            /** @description Change one's own account */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserOut"];
                };
            };
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description Change one's own password */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserOut"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List one's own sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
        };
    };
    end_sessions: {
        parameters: {
            query?: {
                keep_this?: boolean;
            };
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description End all of one's own sessions */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                session: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description End one of one's own sessions */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_apps: {
        parameters: {
            query?: {
                after?: string;
                archived?: "false" | "true" | "all";
                limit?: number;
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List apps */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppList"];
                };
            };
        };
    };
    create_app: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AppCreate"];
            };
        };
        responses: {
            /** @description Make an app */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppOut"];
                };
            };
        };
    };
    get_app: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show an app */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppOut"];
                };
            };
        };
    };
    delete_app: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delete an app for good */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_app: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AppChange"];
            };
        };
        responses: {
            /** @description Change an app */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppOut"];
                };
            };
        };
    };
    archive_app: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Archive"];
            };
        };
        responses: {
            /** @description Archive an app */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppOut"];
                };
            };
        };
    };
    list_flags: {
        parameters: {
            query?: {
                active?: boolean | null;
                after?: string;
                archived?: "false" | "true" | "all";
                limit?: number;
                owner?: string;
                q?: string;
                tag?: string;
            };
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List an app's flags */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagList"];
                };
            };
        };
    };
    create_flag: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FlagCreate"];
            };
        };
        responses: {
            /** @description Make a flag */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    get_flag: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show a flag */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    delete_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delete an archived flag for good */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FlagChange"];
            };
        };
        responses: {
            /** @description Change a flag */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    archive_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Archive"];
            };
        };
        responses: {
            /** @description Archive a flag */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    preview_circuit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PreviewAsked"];
            };
        };
        responses: {
            /** @description Say what settings of a circuit would have done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewOut"];
                };
            };
        };
    };
    reset_circuit: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Reset a flag's circuit */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    duplicate_flag: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Duplicate"];
            };
        };
        responses: {
            /** @description Copy a flag to another app or key */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    evaluate_flag: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["EvaluateFlag"];
            };
        };
        responses: {
            /** @description Try a flag out */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationOut"];
                };
            };
        };
    };
    list_flag_log: {
        parameters: {
            query?: {
                action?: string;
                actor?: string;
                after?: string;
                from?: string;
                full?: boolean;
                hide_steps?: boolean;
                kind?: string;
                limit?: number;
                q?: string;
                to?: string;
            };
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show a flag's log */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                };
            };
        };
    };
    restore_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Restore an archived flag */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    roll_back_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RollBack"];
            };
        };
        responses: {
            /** @description Roll a flag back */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    show_graph: {
        parameters: {
            query?: {
                from_ms?: number | null;
                range?: ("1m" | "5m" | "1h" | "24h" | "7d" | "30d") | null;
                resolution_ms?: number | null;
                to_ms?: number | null;
            };
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show the graph of a flag */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GraphOut"];
                };
            };
        };
    };
    toggle_flag: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Toggle"];
            };
        };
        responses: {
            /** @description Turn a flag on or off */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagOut"];
                };
            };
        };
    };
    list_versions: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path: {
                app: string;
                flag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List a flag's versions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionList"];
                };
            };
        };
    };
    list_keys: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List an app's SDK keys */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyList"];
                };
            };
        };
    };
    create_key: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyCreate"];
            };
        };
        responses: {
            /** @description Make an SDK key */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKeyOut"];
                };
            };
        };
    };
    revoke_key: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoke an SDK key */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_app_log: {
        parameters: {
            query?: {
                action?: string;
                actor?: string;
                after?: string;
                from?: string;
                full?: boolean;
                hide_steps?: boolean;
                key?: string;
                kind?: string;
                limit?: number;
                q?: string;
                to?: string;
            };
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show an app's log */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                };
            };
        };
    };
    restore_app: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Restore an archived app */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppOut"];
                };
            };
        };
    };
    list_segments: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List an app's segments */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SegmentList"];
                };
            };
        };
    };
    create_segment: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SegmentCreate"];
            };
        };
        responses: {
            /** @description Make a segment */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SegmentOut"];
                };
            };
        };
    };
    get_segment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                app: string;
                segment: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show a segment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SegmentOut"];
                };
            };
        };
    };
    delete_segment: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                segment: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delete a segment */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_segment: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                segment: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SegmentChange"];
            };
        };
        responses: {
            /** @description Change a segment */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SegmentOut"];
                };
            };
        };
    };
    change_members: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                app: string;
                segment: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SegmentMembers"];
            };
        };
        responses: {
            /** @description Add and remove members */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SegmentOut"];
                };
            };
        };
    };
    list_app_sidecars: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
                status?: ("current" | "behind" | "silent") | null;
            };
            header?: never;
            path: {
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List an app's sidecars */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SidecarList"];
                };
            };
        };
    };
    list_all_flags: {
        parameters: {
            query?: {
                active?: boolean | null;
                after?: string;
                app?: string;
                archived?: "false" | "true" | "all";
                limit?: number;
                owner?: string;
                q?: string;
                tag?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List the flags of all apps */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FlagList"];
                };
            };
        };
    };
    list_invitations: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List invitations */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationList"];
                };
            };
        };
    };
    create_invitation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InvitationCreate"];
            };
        };
        responses: {
            /** @description Invite somebody */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewInvitationOut"];
                };
            };
        };
    };
    withdraw_invitation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                invitation: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Withdraw an invitation */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_links: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List viewer links */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkList"];
                };
            };
        };
    };
    create_link: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkCreate"];
            };
        };
        responses: {
            /** @description Make a viewer link */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewLinkOut"];
                };
            };
        };
    };
    withdraw_link: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                link: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Withdraw a viewer link */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    follow_live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Follow changes over a WebSocket */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_log: {
        parameters: {
            query?: {
                action?: string;
                actor?: string;
                after?: string;
                app?: string;
                from?: string;
                full?: boolean;
                hide_steps?: boolean;
                key?: string;
                kind?: string;
                limit?: number;
                q?: string;
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show the log */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                };
            };
        };
    };
    get_entry: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                entry: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show an entry of the log */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EntryOut"];
                };
            };
        };
    };
    export_log: {
        parameters: {
            query?: {
                action?: string;
                actor?: string;
                after?: string;
                app?: string;
                format?: components["schemas"]["ExportFormat"];
                from?: string;
                full?: boolean;
                hide_steps?: boolean;
                key?: string;
                kind?: string;
                limit?: number;
                q?: string;
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Export the log */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/jsonl": string;
                    "text/csv": string;
                };
            };
        };
    };
    show_description: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The description of the API in OpenAPI 3.1 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    show_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show who asks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
        };
    };
    log_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LogIn"];
            };
        };
        responses: {
            /** @description Log in with a password */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
        };
    };
    log_out: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Log out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    accept_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InvitationAccept"];
            };
        };
        responses: {
            /** @description Accept an invitation */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
        };
    };
    use_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkUse"];
            };
        };
        responses: {
            /** @description Use a viewer link */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
        };
    };
    begin_oidc: {
        parameters: {
            query?: {
                next?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Log in at the provider */
            303: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    finish_oidc: {
        parameters: {
            query?: {
                code?: string;
                error?: string;
                state?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Come back from the provider */
            303: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    use_setup_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetUp"];
            };
        };
        responses: {
            /** @description Become an admin by a set-up link */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
        };
    };
    list_sidecars: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
                status?: ("current" | "behind" | "silent") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List all sidecars */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SidecarList"];
                };
            };
        };
    };
    show_status: {
        parameters: {
            query?: {
                app?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Say what needs attention */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusOut"];
                };
            };
        };
    };
    list_sparks: {
        parameters: {
            query: {
                flags: string;
                range?: "1m" | "5m" | "1h" | "24h" | "7d" | "30d";
                resolution_ms?: number | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show the calls and error rates of some flags */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SparksOut"];
                };
            };
        };
    };
    find_sparks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SparksAsked"];
            };
        };
        responses: {
            /** @description Show the calls and error rates of many flags */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SparksOut"];
                };
            };
        };
    };
    list_tokens: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
                mine?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List API tokens */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
        };
    };
    create_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenCreate"];
            };
        };
        responses: {
            /** @description Make an API token */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewTokenOut"];
                };
            };
        };
    };
    get_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show an API token */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenOut"];
                };
            };
        };
    };
    revoke_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                token: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoke an API token */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    rotate_token: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                token: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["TokenRotate"];
            };
        };
        responses: {
            /** @description Rotate an API token */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewTokenOut"];
                };
            };
        };
    };
    list_users: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List users */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
        };
    };
    get_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show a user */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserOut"];
                };
            };
        };
    };
    delete_user: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delete a user */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_user: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Change a user */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserOut"];
                };
            };
        };
    };
    create_reset_link: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResetLinkCreate"];
            };
        };
        responses: {
            /** @description Make a link by which a user sets a new password */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewInvitationOut"];
                };
            };
        };
    };
    end_sessions_of_user: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Log a user out everywhere */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_webhooks: {
        parameters: {
            query?: {
                after?: string;
                app?: string | null;
                flag?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List webhooks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookList"];
                };
            };
        };
    };
    create_webhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookCreate"];
            };
        };
        responses: {
            /** @description Make a webhook */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookSecretOut"];
                };
            };
        };
    };
    get_webhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Show a webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookOut"];
                };
            };
        };
    };
    delete_webhook: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Delete a webhook */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_webhook: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WebhookChange"];
            };
        };
        responses: {
            /** @description Change a webhook */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookOut"];
                };
            };
        };
    };
    list_deliveries: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
                state?: components["schemas"]["DeliveryState"] | null;
            };
            header?: never;
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description List a webhook's deliveries */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryList"];
                };
            };
        };
    };
    resend_delivery: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                delivery: string;
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Send a delivery again */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryOut"];
                };
            };
        };
    };
    rotate_webhook_secret: {
        parameters: {
            query?: never;
            header: {
                /** @description The ETag of what was read, or * for whatever is there now. */
                "If-Match": string;
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Give a webhook a new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookSecretOut"];
                };
            };
        };
    };
    try_webhook_out: {
        parameters: {
            query?: never;
            header?: {
                /** @description Why, for the log; may be percent-encoded UTF-8. */
                "Tailslide-Reason"?: string;
            };
            path: {
                webhook: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Try a webhook out */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttemptOut"];
                };
            };
        };
    };
}
