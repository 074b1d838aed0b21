import { Box, Select, Tabs, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { Snippet } from "@/components/Copy";
import type { SnippetText } from "./snippets";

/** Pieces to paste, one at a time: as tabs, on a narrow screen as a choice. */
export function SnippetTabs({ label, snippets }: { label: string; snippets: readonly SnippetText[] }) {
  const [first] = snippets;
  const [name, setName] = useState(first?.name ?? "");
  const narrow = useMediaQuery("(max-width: 800px)");
  const shown = snippets.find((each) => each.name === name) ?? first;
  if (shown === undefined) return null;
  const panel = (
    <Box mt="xs">
      {shown.needs !== undefined && (
        <Text size="sm" c="var(--quiet)" mb="xs">
          {shown.needs}
        </Text>
      )}
      {shown.install !== undefined && (
        <Box mb="xs">
          <Snippet code={shown.install} what="the commands to install it" />
        </Box>
      )}
      <Snippet code={shown.code} what={shown.what} />
    </Box>
  );
  if (narrow) {
    return (
      <>
        <Select
          aria-label={label}
          allowDeselect={false}
          data={snippets.map((each) => each.name)}
          value={shown.name}
          onChange={(next) => setName(next ?? shown.name)}
        />
        {panel}
      </>
    );
  }
  return (
    <Tabs value={shown.name} onChange={(next) => setName(next ?? shown.name)}>
      <Tabs.List aria-label={label}>
        {snippets.map((each) => (
          <Tabs.Tab key={each.name} value={each.name}>
            {each.name}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={shown.name}>{panel}</Tabs.Panel>
    </Tabs>
  );
}
