import { ActionIcon, Anchor, Button, Group, MultiSelect, Select, Stack, Text } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "react-router";
import { StateBadge } from "@/components/StateBadge";
import type { Flag } from "@/features/flags/api";
import { paths } from "@/shell/paths";
import { type Requirement, requirementInWords } from "./words";

const MOST_REQUIREMENTS = 20;

/** The flags that have to give a user something before this one does. */
export function Requirements({
  flag: { app, key },
  requires,
  change,
  others,
  readOnly,
  problemAt,
}: {
  flag: Pick<Flag, "app" | "key">;
  requires: readonly Requirement[];
  change: (requires: Requirement[]) => void;
  /** All flags of the app. */
  others: readonly Flag[];
  readOnly: boolean;
  problemAt: (field: string) => string | null;
}) {
  const [adding, setAdding] = useState(false);
  const offered = others
    .filter((other) => other.key !== key && other.archived_at === null)
    .filter((other) => !requires.some(({ flag }) => flag === other.key));
  return (
    <Stack gap={12}>
      {requires.map((requirement, place) => {
        const other = others.find((each) => each.key === requirement.flag);
        const problem = problemAt(`requires.${place}.flag`) ?? problemAt(`requires.${place}.variants`);
        return (
          <Stack key={requirement.flag} gap={4}>
            <Group gap={8}>
              <Anchor component={Link} to={paths.flag(app, requirement.flag)} size="sm" fw={500}>
                {requirement.flag}
              </Anchor>
              {other !== undefined && <StateBadge state={other.state} />}
              {!readOnly && (
                <ActionIcon
                  ml="auto"
                  variant="subtle"
                  color="gray"
                  size="lg"
                  aria-label={`Remove the prerequisite ${requirement.flag}`}
                  onClick={() => change(requires.filter((each) => each !== requirement))}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              )}
            </Group>
            {!readOnly && other !== undefined && (
              <MultiSelect
                maw={420}
                aria-label={`Variants of ${requirement.flag} that count`}
                placeholder={requirement.variants?.length ? undefined : `any except ${other.off_variant}`}
                data={Object.keys(other.variants)}
                clearable
                value={requirement.variants ?? []}
                onChange={(variants) =>
                  change(
                    requires.map((each) =>
                      each === requirement ? { ...each, variants: variants.length === 0 ? null : variants } : each,
                    ),
                  )
                }
              />
            )}
            <Text size="sm" c="var(--quiet)">
              Met for users to whom {requirementInWords(requirement, other?.off_variant ?? null)}.
            </Text>
            {problem !== null && (
              <Text size="sm" c="var(--mantine-color-error)" role="alert">
                {problem}
              </Text>
            )}
          </Stack>
        );
      })}
      {problemAt("requires") !== null && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {problemAt("requires")}
        </Text>
      )}
      {!readOnly &&
        (adding ? (
          <Select
            maw={420}
            searchable
            autoFocus
            aria-label="Flag to require"
            placeholder="Choose a flag"
            nothingFoundMessage="The app has no other flag like this"
            data={offered.map((other) => other.key)}
            onChange={(chosen) => {
              if (chosen !== null) change([...requires, { flag: chosen, variants: null }]);
              setAdding(false);
            }}
            onBlur={() => setAdding(false)}
          />
        ) : (
          <div>
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconPlus size={14} />}
              disabled={requires.length >= MOST_REQUIREMENTS}
              onClick={() => setAdding(true)}
            >
              Add a prerequisite
            </Button>
          </div>
        ))}
    </Stack>
  );
}
