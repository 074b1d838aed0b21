import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the sources with Tower's API behind them; TAILSLIDE_TOWER_URL says which Tower.
const tower = process.env.TAILSLIDE_TOWER_URL ?? "http://127.0.0.1:4142";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: {
    target: "es2022",
    // The licence notices of what is bundled stay in the files.
    license: { fileName: "licences.md" },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    host: "127.0.0.1",
    // Tower answers to its own names and takes changes from its own pages only.
    proxy: {
      "/api": { target: tower, ws: true, changeOrigin: true, rewriteWsOrigin: true, headers: { origin: tower } },
      "/enter": { target: tower, changeOrigin: true },
    },
  },
});
