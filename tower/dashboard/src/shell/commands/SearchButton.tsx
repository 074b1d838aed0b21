import { ActionIcon, Kbd, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import styles from "../shell.module.css";
import { isMac } from "../shortcuts/table";
import { openPalette } from "./palette";

/** Opens the palette; on a phone it is its icon only. */
export function SearchButton() {
  return (
    <div className={styles.search}>
      <UnstyledButton className={styles.searchField} onClick={openPalette} aria-haspopup="dialog">
        <IconSearch size={16} aria-hidden />
        <span>Search or do something</span>
        <Kbd size="xs">/</Kbd>
        <Kbd size="xs">{isMac() ? "⌘ K" : "Ctrl K"}</Kbd>
      </UnstyledButton>
      <ActionIcon
        className={styles.searchIcon}
        variant="subtle"
        color="gray"
        size={40}
        onClick={openPalette}
        aria-haspopup="dialog"
        aria-label="Search or do something"
      >
        <IconSearch size={18} />
      </ActionIcon>
    </div>
  );
}
