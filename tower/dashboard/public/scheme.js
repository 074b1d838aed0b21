// Runs before the first paint, so that a reader of the dark scheme sees no white page first.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("tailslide-scheme");
  } catch {
    // Storage may be forbidden; then the system's scheme counts.
  }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
