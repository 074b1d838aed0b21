import { Title } from "@mantine/core";
import { PageHead } from "@/components/views";
import { useIsEmpty } from "@/features/first_run/api";
import { EmptyTower } from "@/features/first_run/EmptyTower";
import { NewFlag } from "@/features/flags/FlagsPage";
import { FlagsList } from "@/features/flags/table/FlagsList";
import { BelowAttention, NeedsAttention } from "./NeedsAttention";

/** What the features of all apps do now: first what needs attention, then all flags. */
export function OverviewPage() {
  const empty = useIsEmpty();
  if (empty === true) {
    return (
      <>
        <PageHead title="Overview" />
        <EmptyTower />
      </>
    );
  }
  return (
    <>
      <PageHead title="Overview" actions={<NewFlag app={null} />} />
      <NeedsAttention app={null} />
      <BelowAttention app={null}>
        <section aria-labelledby="flags">
          <Title order={2} id="flags" mb="xs">
            Flags
          </Title>
          <FlagsList app={null} />
        </section>
      </BelowAttention>
    </>
  );
}
