// Reads the secret of a one-time link, asks for what the link needs, and opens the session.

const KINDS = {
  tsu_: {
    path: "setup",
    text: "Become an admin of this Tailslide: give your e-mail address and choose a password.",
    fields: ["email", "name", "password"],
  },
  tsi_: {
    path: "invitation",
    text: "You were invited, or are to set a new password: choose one.",
    fields: ["name", "password"],
  },
  tsl_: {
    path: "link",
    text: "This link opens a view of flags and circuits, in this browser, once.",
    fields: [],
  },
};

const secret = location.hash.slice(1);
const kind = KINDS[secret.slice(0, 4)];
const what = document.getElementById("what");
const form = document.getElementById("form");
const problem = document.getElementById("problem");

// So that the secret stays neither in the address bar nor in the history.
history.replaceState(null, "", location.pathname);

if (kind === undefined) {
  what.textContent = "This address is part of a link, and the rest is missing. Open the whole link.";
} else {
  what.textContent = kind.text;
  for (const name of ["email", "name", "password"]) {
    const needed = kind.fields.includes(name);
    document.getElementById(`${name}-field`).hidden = !needed;
    form.elements[name].disabled = !needed;
  }
  form.hidden = false;
  form.addEventListener("submit", enter);
}

async function enter(event) {
  event.preventDefault();
  problem.textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  const body = { secret };
  for (const name of kind.fields) {
    const value = form.elements[name].value;
    if (value !== "") body[name] = value;
  }
  try {
    const answer = await fetch(`/api/v1/session/${kind.path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.field ? `${said.field}: ${said.detail}` : said.detail);
    form.hidden = true;
    what.textContent = `You are logged in as ${said.principal.name}.`;
    location.replace("/api/docs");
  } catch (error) {
    problem.textContent = error instanceof TypeError ? "Tower cannot be reached now. Try again." : error.message;
    button.disabled = false;
  }
}
