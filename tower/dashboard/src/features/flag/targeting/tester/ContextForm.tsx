import {
  ActionIcon,
  Autocomplete,
  Button,
  Group,
  Menu,
  NativeSelect,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconBraces, IconHistory, IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { type Asked, type AttributeRow, askedIn, askedInWords, attributesOf, contextOf, type Kind } from "./contexts";

const KINDS: { value: Kind; label: string }[] = [
  { value: "text", label: "text" },
  { value: "number", label: "number" },
  { value: "boolean", label: "true or false" },
  { value: "list", label: "list" },
  { value: "json", label: "JSON" },
];

/** Whom the tester asks for: a targeting key, and attributes as rows or as JSON. */
export function ContextForm({
  asked,
  change,
  recent,
  attributes,
}: {
  asked: Asked;
  change: (asked: Asked) => void;
  recent: readonly Asked[];
  /** Names that the app's rules ask for. */
  attributes: readonly string[];
}) {
  const [json, setJson] = useState<string | null>(null);
  const { problems } = attributesOf(asked.rows);
  const names = attributes.filter((name) => name !== "targetingKey" && !asked.rows.some((row) => row.name === name));
  const changeRow = (place: number, row: AttributeRow) =>
    change({ ...asked, rows: asked.rows.map((each, index) => (index === place ? row : each)) });
  return (
    <Stack gap={8}>
      <Group gap={8} justify="space-between" align="flex-end" wrap="nowrap">
        <TextInput
          flex={1}
          label="Targeting key"
          placeholder="The user, as your application names them"
          maxLength={1024}
          value={asked.key}
          onChange={(event) => change({ ...asked, key: event.currentTarget.value })}
        />
        {recent.length > 0 && (
          <Menu position="bottom-end" width={280}>
            <Menu.Target>
              <ActionIcon variant="default" size={36} aria-label="Asked for before">
                <IconHistory size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label>Asked for before</Menu.Label>
              {recent.map((each) => (
                <Menu.Item key={JSON.stringify(each)} onClick={() => change(each)}>
                  <Text size="sm" truncate>
                    {askedInWords(each)}
                  </Text>
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
      {json === null ? (
        <>
          {asked.rows.map((row, place) => (
            <Row
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity besides their place
              key={place}
              row={row}
              names={names}
              problem={problems[place] ?? null}
              change={(next) => changeRow(place, next)}
              remove={() => change({ ...asked, rows: asked.rows.filter((_, index) => index !== place) })}
            />
          ))}
          <Group gap={8}>
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconPlus size={14} />}
              onClick={() => change({ ...asked, rows: [...asked.rows, { name: "", kind: "text", text: "" }] })}
            >
              Add an attribute
            </Button>
            <Button
              size="compact-sm"
              variant="subtle"
              color="gray"
              leftSection={<IconBraces size={14} />}
              onClick={() => setJson(contextOf(asked))}
            >
              As JSON
            </Button>
          </Group>
        </>
      ) : (
        <AsJson
          text={json}
          write={(text) => {
            setJson(text);
            const read = askedIn(text);
            if (read !== null) change(read);
          }}
          close={() => setJson(null)}
        />
      )}
    </Stack>
  );
}

function Row({
  row,
  names,
  problem,
  change,
  remove,
}: {
  row: AttributeRow;
  names: readonly string[];
  problem: string | null;
  change: (row: AttributeRow) => void;
  remove: () => void;
}) {
  const named = row.name === "" ? "the attribute" : row.name;
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <Autocomplete
        flex="1 1 90px"
        miw={0}
        aria-label="Attribute"
        placeholder="country"
        data={[...names]}
        value={row.name}
        onChange={(name) => change({ ...row, name })}
      />
      <NativeSelect
        flex="0 0 84px"
        aria-label={`Type of ${named}`}
        data={KINDS}
        value={row.kind}
        onChange={(event) => change({ ...row, kind: event.currentTarget.value as Kind })}
      />
      <TextInput
        flex="1 1 90px"
        miw={0}
        aria-label={`Value of ${named}`}
        placeholder={row.kind === "list" ? "beta, staff" : row.kind === "boolean" ? "true" : "DE"}
        value={row.text}
        onChange={(event) => change({ ...row, text: event.currentTarget.value })}
        error={problem}
      />
      <ActionIcon variant="subtle" color="gray" size={36} onClick={remove} aria-label={`Remove ${named}`}>
        <IconX size={14} />
      </ActionIcon>
    </Group>
  );
}

function AsJson({ text, write, close }: { text: string; write: (text: string) => void; close: () => void }) {
  const bad = askedIn(text) === null;
  return (
    <>
      <Textarea
        autosize
        minRows={4}
        maxRows={14}
        spellCheck={false}
        label="Context as JSON"
        description="As your application sends it: targetingKey and attributes."
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
        value={text}
        onChange={(event) => write(event.currentTarget.value)}
        error={bad ? "Expected an object of JSON; the answer is of what could be read last." : null}
      />
      <div>
        <Button size="compact-sm" variant="default" onClick={close}>
          As rows
        </Button>
      </div>
    </>
  );
}
