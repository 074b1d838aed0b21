import { Badge, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import styles from "./targeting.module.css";

/** One line of a flag, at its place in the order of evaluation. */
export function Line({
  number,
  title,
  says,
  answers,
  decidesFor,
  children,
}: {
  number: number;
  title: string;
  /** What the line does, in a few words. */
  says?: ReactNode;
  /** How many answers it gave. */
  answers?: ReactNode;
  /** Whom of the tester it decides for; null for nobody. */
  decidesFor: string | null;
  children?: ReactNode;
}) {
  return (
    <li className={`${styles.line} ${decidesFor === null ? "" : styles.decides}`} data-decides={decidesFor !== null}>
      <div className={styles.head}>
        <span className={styles.number} aria-hidden>
          {number}
        </span>
        <Title order={3}>{title}</Title>
        {decidesFor !== null && <Decides who={decidesFor} />}
        {answers !== undefined && <span className={styles.answers}>{answers}</span>}
      </div>
      <div className={styles.body}>
        {says !== undefined && (
          <Text size="sm" c="var(--quiet)" mb={children ? 8 : 0}>
            {says}
          </Text>
        )}
        {children}
      </div>
    </li>
  );
}

/** Marks the line that decides for whom the tester asks. */
export function Decides({ who }: { who: string }) {
  return (
    <Badge tt="none" variant="light" maw="100%">
      Decides for {who}
    </Badge>
  );
}
