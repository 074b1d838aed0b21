import { Button, Text } from "@mantine/core";
import { useState } from "react";
import { Moment } from "@/components/Moment";
import { counted } from "@/components/numbers";
import type { Line, Value } from "./lines";
import styles from "./log.module.css";

const FOLDED = 8;

/** A difference, line by line: what it was, and what it is; of lists what they have lost and gained. */
export function Difference({ lines, now = false }: { lines: readonly Line[]; now?: boolean }) {
  return (
    <dl className={styles.difference}>
      {lines.map((line) => (
        <div key={line.name} className={styles.line}>
          <dt>{line.name}</dt>
          <dd>
            {line.kind === "list" ? (
              <Items line={line} />
            ) : (
              <>
                {line.before !== null && <Side sign="−" value={line.before} what={now ? "now" : "before"} />}
                {line.after !== null && <Side sign="+" value={line.after} what={now ? "then" : "after"} />}
                {line.after === null && line.before !== null && now && (
                  <Text size="sm" c="var(--quiet)">
                    then its default
                  </Text>
                )}
              </>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Items({ line }: { line: Extract<Line, { kind: "list" }> }) {
  const [whole, setWhole] = useState(false);
  const items = [
    ...line.removed.map((text) => ({ sign: "−" as const, text })),
    ...line.added.map((text) => ({ sign: "+" as const, text })),
  ];
  const shown = whole ? items : items.slice(0, FOLDED);
  const rest = items.length - shown.length;
  return (
    <>
      {shown.map(({ sign, text }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lists may have an item twice, and never move here
        <Side key={index} sign={sign} value={{ text }} what={sign === "+" ? "added" : "removed"} />
      ))}
      {rest > 0 && (
        <Button size="compact-sm" variant="subtle" onClick={() => setWhole(true)}>
          Show {counted(rest, "more", "more")}
        </Button>
      )}
    </>
  );
}

/** One side of a change. Sign and word tell them apart as well as the colour. */
function Side({ sign, value, what }: { sign: "−" | "+"; value: Value; what: string }) {
  return (
    <div className={`${styles.side} ${sign === "+" ? styles.added : styles.removed}`}>
      <span className={styles.sign} role="img" aria-label={what}>
        {sign}
      </span>
      <span className={styles.text}>{"moment" in value ? <Moment at={value.moment} /> : value.text}</span>
    </div>
  );
}
