import { ActionIcon, Box, Code, CopyButton, Group, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** A button that copies `value`; `what` names it for screen readers. */
export function Copy({ value, what }: { value: string; what: string }) {
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : `Copy ${what}`}>
          <ActionIcon variant="subtle" color="gray" size="sm" onClick={copy} aria-label={`Copy ${what}`}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** A key or a secret with a button that copies it. */
export function CopyText({ value, what }: { value: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap" miw={0}>
      <Code style={{ overflowWrap: "anywhere" }}>{value}</Code>
      <Copy value={value} what={what} />
    </Group>
  );
}

/** Commands or a file to paste, with a button that copies all of it. */
export function Snippet({ code, what }: { code: string; what: string }) {
  return (
    <Group gap={0} wrap="nowrap" align="flex-start" bg="var(--code)" style={{ borderRadius: 4 }}>
      <Code block flex={1} miw={0} bg="transparent" tabIndex={0} style={{ whiteSpace: "pre", overflowX: "auto" }}>
        {code}
      </Code>
      <Box p={6}>
        <Copy value={code} what={what} />
      </Box>
    </Group>
  );
}
