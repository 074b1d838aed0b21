import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, dataOf } from "@/api/client";

interface FlagChoiceProps {
  app: string;
  flag: string | null;
  error: string | null;
  choose: (flag: string | null) => void;
}

/** One flag of an app, or all; an app may have thousands, so Tower searches them. */
export function FlagChoice({ app, flag, error, choose }: FlagChoiceProps) {
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed, 200);
  const { data: keys = [] } = useQuery({
    queryKey: ["flag-keys", app, q],
    queryFn: async () => {
      const query = { limit: 50, ...(q === "" || q === flag ? {} : { q }) };
      const page = dataOf(await api.GET("/apps/{app}/flags", { params: { path: { app }, query } }));
      return page.flags.map(({ key }) => key);
    },
    placeholderData: keepPreviousData,
  });
  return (
    <Select
      label="Flag"
      description="Leave it empty for all flags of the app."
      placeholder="All flags"
      data={flag === null || keys.includes(flag) ? keys : [flag, ...keys]}
      searchable
      clearable
      filter={({ options }) => options}
      nothingFoundMessage="The app has no such flag"
      value={flag}
      error={error}
      onSearchChange={setTyped}
      onChange={choose}
    />
  );
}
