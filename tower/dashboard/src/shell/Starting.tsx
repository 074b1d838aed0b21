import { Center, Loader } from "@mantine/core";

/** While the first page is being loaded. */
export function Starting() {
  return (
    <Center h="100dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}
