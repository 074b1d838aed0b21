import { Alert, Button, Group, Stack, TextInput } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { sentenceOf } from "@/api/problem";
import { GivenUp } from "@/shell/reason";

/** Make something by its key alone. */
export function MakeKeyed({
  make,
  label,
  description,
  example,
  button,
  made,
}: {
  make: UseMutationResult<{ key: string }, Error, string>;
  label: string;
  description: string;
  example: string;
  button: string;
  made: (key: string) => void;
}) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate(key.trim(), {
      onSuccess: (thing) => {
        setKey("");
        made(thing.key);
      },
    });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Group align="flex-end" gap="xs">
          <TextInput
            flex="1 1 200px"
            maw={360}
            label={label}
            description={description}
            placeholder={example}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            maxLength={100}
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
          />
          <Button type="submit" loading={make.isPending} disabled={key.trim() === ""}>
            {button}
          </Button>
        </Group>
        {make.isError && !(make.error instanceof GivenUp) && (
          <Alert color="gray" variant="outline" role="alert">
            {sentenceOf(make.error)}
          </Alert>
        )}
      </Stack>
    </form>
  );
}
