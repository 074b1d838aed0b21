import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { memo } from "react";
import type { Column } from "./filter";
import styles from "./table.module.css";

const HEADS: readonly {
  column: Column;
  name: string;
  spark?: "calls" | "errors";
  className?: string;
  hint?: string;
}[] = [
  { column: "name", name: "Flag" },
  { column: "state", name: "State" },
  { column: "rollout", name: "Rollout" },
  {
    column: "calls",
    name: "Calls",
    spark: "calls",
    hint: "Calls a second: the last 5 min, and the last 30 s as a number.",
  },
  {
    column: "errors",
    name: "Error rate",
    spark: "errors",
    hint: "Failed calls: the last 5 min, and the last 30 s as a number. The dashed line is the threshold.",
  },
  {
    column: "arrived",
    name: "Arrived",
    className: styles.arrivedCell,
    hint: "In how many sidecars the last change has arrived.",
  },
  { column: "owner", name: "Owner", className: styles.ownerCell },
  { column: "changed", name: "Changed", className: styles.changedCell },
];

/** The names of the columns; each orders the table. */
export const TableHead = memo(function TableHead({
  sort,
  descending,
  onSort,
}: {
  sort: Column;
  descending: boolean;
  onSort: (column: Column) => void;
}) {
  return (
    <thead className={styles.headGroup}>
      <tr aria-rowindex={1} className={`${styles.row} ${styles.head}`}>
        <th scope="col" className={styles.switchCell}>
          <span className={styles.hidden}>On or off</span>
        </th>
        {HEADS.map(({ column, name, spark, className, hint }) => {
          const direction = sort === column ? (descending ? "descending" : "ascending") : "none";
          const Arrow = descending ? IconArrowDown : IconArrowUp;
          return (
            <th
              key={column}
              scope="col"
              aria-sort={direction}
              className={`${className ?? ""} ${spark ? styles.sparkHead : ""}`}
            >
              {spark && <span data-spark={spark} className={styles.sparkPlace} />}
              <button type="button" className={styles.sort} onClick={() => onSort(column)} data-hint={hint}>
                {name}
                {sort === column && <Arrow size={13} aria-hidden />}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
});
