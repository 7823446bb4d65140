// Bundles pages as a shop would, with Depict's client pointed at other hosts:
//   node build.mjs                                        those of the example shop, for its VAR_DIR
//   node build.mjs OUTDIR HTTP_BASE_URL WEBSOCKET_URL     those of the tests
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compile } from "sass";

const here = fileURLToPath(new URL(".", import.meta.url));
const example = resolve(here, "../../../example_project");
const given = process.argv.slice(2);

// In the addresses stands JavaScript: the example's pages know only when they are open where they are.
const { pages, outdir, baseUrl, socketUrl } = given.length
  ? { pages: `${here}pages`, outdir: given[0], baseUrl: JSON.stringify(given[1]), socketUrl: JSON.stringify(given[2]) }
  : {
      pages: `${example}/shop/client`,
      outdir: resolve(process.env.INIT_CWD ?? ".", process.env.VAR_DIR || `${example}/var`, "depict"),
      baseUrl: "location.origin",
      socketUrl: "`ws://${location.hostname}:${document.querySelector('main').dataset.socketPort}/ws/create-events`",
    };
const THEIR_SOCKET = '"wss://ws.depict.ai/ws/create-events"';
let replaced = 0;

const otherSocket = {
  name: "other-socket", // the one address that no variable of the client changes
  setup(bundler) {
    bundler.onLoad({ filter: /@depict-ai\/utilishared\/.*\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      replaced += source.split(THEIR_SOCKET).length - 1;
      return { contents: source.replaceAll(THEIR_SOCKET, () => socketUrl), loader: "js" };
    });
  },
};

await mkdir(outdir, { recursive: true });
const { css } = compile(`${pages}/shop.scss`, {
  loadPaths: [`${here}node_modules`],
  quietDeps: true,
});
await writeFile(`${outdir}/shop.css`, css);

await build({
  absWorkingDir: here,
  nodePaths: [`${here}node_modules`],
  entryPoints: [`${pages}/react.jsx`, `${pages}/plain.js`],
  outdir,
  bundle: true,
  format: "esm",
  splitting: true,
  jsx: "automatic",
  conditions: ["browser"],
  logLevel: "error",
  define: {
    "process.env.BASE_URL": baseUrl,
    "process.env.DEPICT_ERROR_REPORTING": '"false"',
    "process.env.NODE_ENV": '"production"',
    "process.env": "{}",
  },
  plugins: [otherSocket],
});
if (replaced === 0) {
  throw new Error(`${THEIR_SOCKET} stands nowhere in @depict-ai/utilishared`);
}
