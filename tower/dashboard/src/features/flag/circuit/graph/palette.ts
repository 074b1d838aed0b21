/** The colours of a graph: a canvas has no style sheet, so they are read out of `graph.module.css`. */
export interface Palette {
  text: string;
  quiet: string;
  grid: string;
  surface: string;
  feature: string;
  featureSoft: string;
  fallback: string;
  fallbackSoft: string;
  opensAt: string;
  open: string;
  openBand: string;
  recovering: string;
  recoveringBand: string;
}

const VARIABLES: Readonly<Record<keyof Palette, string>> = {
  text: "--mantine-color-text",
  quiet: "--quiet",
  grid: "--graph-grid",
  surface: "--surface",
  feature: "--feature",
  featureSoft: "--feature-soft",
  fallback: "--fallback",
  fallbackSoft: "--fallback-soft",
  opensAt: "--opens-at",
  open: "--open-edge",
  openBand: "--open-band",
  recovering: "--recovering-edge",
  recoveringBand: "--recovering-band",
};

/** Read the colours as they are for an element now. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  return Object.fromEntries(
    Object.entries(VARIABLES).map(([name, variable]) => [name, resolved(style, variable)]),
  ) as unknown as Palette;
}

function resolved(style: CSSStyleDeclaration, variable: string): string {
  return style.getPropertyValue(variable).trim() || "#888";
}
