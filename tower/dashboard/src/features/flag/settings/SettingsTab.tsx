import { Stack, Title } from "@mantine/core";
import { SlackAddress } from "@/features/alerts/SlackAddress";
import { AboutFields } from "../about/AboutFields";
import { MetadataFields } from "../about/MetadataFields";
import { useFlagOutlet } from "../flagOutlet";
import { Ending } from "./Ending";
import { SaltField } from "./SaltField";
import styles from "./settings.module.css";

/** What the flag is called and whose it is, who is told of it, and its end. */
export function SettingsTab() {
  const { editing, changed } = useFlagOutlet();
  const { saved } = editing;
  return (
    <div className={styles.columns}>
      <Stack gap="lg">
        <section>
          <Title order={2} mb="xs">
            About
          </Title>
          <AboutFields form={editing} />
        </section>
        <section>
          <Title order={2} mb="xs">
            For programs
          </Title>
          <Stack gap="sm">
            <MetadataFields form={editing} />
            <SaltField key={saved.salt} form={editing} saved={saved.salt} />
          </Stack>
        </section>
      </Stack>
      <Stack gap="lg">
        <SlackAddress app={saved.app} flag={saved.key} />
        <Ending flag={saved} unsaved={changed.length > 0} />
      </Stack>
    </div>
  );
}
