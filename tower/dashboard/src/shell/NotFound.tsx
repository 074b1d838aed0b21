import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import { EmptyState } from "@/components/views";

export function NotFound() {
  return (
    <EmptyState title="There is no page at this address">
      The{" "}
      <Anchor component={Link} to="/" inherit>
        overview
      </Anchor>{" "}
      has all flags and what they do now.
    </EmptyState>
  );
}
