import { Anchor, Button, Center, SegmentedControl, Spoiler, Text } from "@mantine/core";
import { IconCheck, IconClock, IconX } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { Ago } from "@/components/Moment";
import { counted, roughSpan } from "@/components/numbers";
import { useNow } from "@/components/times";
import { EmptyState, ErrorState, LoadingState } from "@/components/views";
import { paths } from "@/shell/paths";
import { sentence } from "./AttemptShown";
import { adviceFor } from "./advice";
import styles from "./alerts.module.css";
import { type Delivery, deliveriesQuery, useWebhookChanges, type Webhook } from "./api";
import { occasionName } from "./occasions";

const STATES = {
  pending: { word: "Waiting", icon: IconClock },
  delivered: { word: "Delivered", icon: IconCheck },
  failed: { word: "Given up", icon: IconX },
} as const;

const CHOICES = [
  { value: "all", label: "All" },
  { value: "failed", label: "Given up" },
  { value: "pending", label: "Waiting" },
  { value: "delivered", label: "Delivered" },
];

/** The alerts that went, or are to go, to a webhook, and what became of each. */
export function Deliveries({ webhook, mayEdit }: { webhook: Webhook; mayEdit: boolean }) {
  const [choice, setChoice] = useState("all");
  const state = choice === "all" ? null : (choice as Delivery["state"]);
  const query = useInfiniteQuery(deliveriesQuery(webhook.id, state));
  const deliveries = query.data?.pages.flatMap((page) => page.deliveries) ?? [];
  return (
    <>
      <SegmentedControl
        aria-label="Which deliveries"
        size="xs"
        mb="xs"
        data={CHOICES}
        value={choice}
        onChange={setChoice}
      />
      {query.isPending && <LoadingState rows={3} height={56} />}
      {query.isError && <ErrorState error={query.error} retry={() => void query.refetch()} />}
      {query.data !== undefined && deliveries.length === 0 && (
        <EmptyState title={state === null ? "No alert has been sent yet" : "There are none of these"}>
          {state === null && "Try it out: a sample goes to the same address. Samples are not listed here."}
        </EmptyState>
      )}
      {deliveries.length > 0 && (
        <ul className={styles.rows} aria-label="Deliveries">
          {deliveries.map((delivery) => (
            <Row key={delivery.id} webhook={webhook} delivery={delivery} mayEdit={mayEdit} />
          ))}
        </ul>
      )}
      {query.hasNextPage && (
        <Center py="md">
          <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Load more
          </Button>
        </Center>
      )}
    </>
  );
}

interface RowProps {
  webhook: Webhook;
  delivery: Delivery;
  mayEdit: boolean;
}

function Row({ webhook, delivery, mayEdit }: RowProps) {
  const { resend } = useWebhookChanges();
  const { word, icon: Icon } = STATES[delivery.state];
  return (
    <li className={styles.delivery}>
      <span>
        <Icon size={14} aria-hidden style={{ verticalAlign: -2, marginRight: 6 }} />
        {word}
      </span>
      <div className={styles.wrap}>
        <Anchor component={Link} to={paths.logEntry(delivery.entry)}>
          {occasionName(delivery.occasion)}
        </Anchor>
        <div className={styles.quiet}>
          <Ago at={delivery.happened_at} />
        </div>
      </div>
      <div className={styles.wrap}>
        <Came delivery={delivery} />
      </div>
      {mayEdit && webhook.enabled && (
        <Button
          size="compact-sm"
          variant="default"
          loading={resend.isPending}
          onClick={() => resend.mutate({ id: webhook.id, delivery: delivery.id })}
        >
          {delivery.state === "pending" ? "Send now" : "Send again"}
        </Button>
      )}
      {resend.error !== null && <ErrorState error={resend.error} />}
    </li>
  );
}

/** How often it was tried, what the receiver said last, and when it is tried again. */
function Came({ delivery }: { delivery: Delivery }) {
  const { attempts, status, error, answer, next_at, last_at } = delivery;
  const advice = delivery.state === "delivered" ? null : adviceFor(status, error);
  return (
    <>
      <Text size="sm">
        {attempts === 0 ? "Not tried yet." : `${counted(attempts, "attempt")}.`}{" "}
        {last_at !== null && attempts > 0 && (
          <>
            The last was <Ago at={last_at} />
            {status !== null ? `: status ${status}` : ""}.{" "}
          </>
        )}
        {next_at !== null && <NextTry at={next_at} />}
      </Text>
      {error !== null && <Text size="sm">{sentence(error)}</Text>}
      {advice !== null && (
        <Text size="sm" c="var(--quiet)">
          {advice}
        </Text>
      )}
      {answer !== null && answer.trim() !== "" && (
        <Spoiler maxHeight={0} showLabel="What it answered" hideLabel="Hide what it answered" transitionDuration={0}>
          <div className={styles.example}>{answer}</div>
        </Spoiler>
      )}
    </>
  );
}

function NextTry({ at }: { at: string }) {
  const left = Date.parse(at) - useNow();
  return <>{left > 0 ? `Tried again in ${roughSpan(left, true)}.` : "It is sent now."}</>;
}
