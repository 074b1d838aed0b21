// Prints the snippets of the dashboard's keys page as JSON: keys_page.mjs FOLDER_OF_SNIPPETS APP KEY FLAG.
const [folder, app, key, flag] = process.argv.slice(2);
const { askSnippets } = await import(`${folder}/askSnippets.ts`);
const { runSnippets } = await import(`${folder}/snippets.ts`);
console.log(JSON.stringify({ run: runSnippets(app, key, flag), ask: askSnippets(flag) }));
