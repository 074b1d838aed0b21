import { Center, Loader } from "@mantine/core";

/** What is there until it is known who looks, and the code of the first page has come. */
export function Starting() {
  return (
    <Center h="100dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}
