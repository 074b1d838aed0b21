// Reads the secret of a one-time link, asks for what the link needs, opens the session, and goes on to the dashboard.

import { isPagePath } from "/enter/page_path.js";

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
  // Nothing to ask for, so it opens at once.
  tsl_: { path: "link", text: "Opening the dashboard, to look at …", fields: [] },
};

class SpentLinkError extends Error {}

const secret = location.hash.slice(1);
const kind = KINDS[secret.slice(0, 4)];
const asked = new URLSearchParams(location.search).get("to") ?? "/";
const page = isPagePath(asked) ? asked : "/";
const what = document.getElementById("what");
const form = document.getElementById("form");
const problem = document.getElementById("problem");

// So that the secret stays neither in the address bar nor in the history.
history.replaceState(null, "", location.pathname);

if (kind === undefined) {
  what.textContent = "This address is part of a link, and the rest is missing. Open the whole link.";
} else {
  what.textContent = kind.text;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter();
  });
  if (kind.fields.length === 0) {
    enter();
  } else {
    showForm();
  }
}

function showForm() {
  for (const name of ["email", "name", "password"]) {
    const needed = kind.fields.includes(name);
    document.getElementById(`${name}-field`).hidden = !needed;
    form.elements[name].disabled = !needed;
  }
  form.hidden = false;
}

async function enter() {
  problem.textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await openSession();
    form.hidden = true;
    location.replace(page);
  } catch (error) {
    problem.textContent = error instanceof TypeError ? "Tower cannot be reached now." : error.message;
    button.disabled = false;
    if (error instanceof SpentLinkError) {
      form.hidden = true;
      what.textContent = "The link does not open.";
    } else if (kind.fields.length === 0) {
      button.textContent = "Try again";
      showForm();
    }
  }
}

async function openSession() {
  // Whoever is logged in sees the page with their own rights, and leaves the link for somebody else.
  const before = kind.fields.length === 0 ? await sessionNow() : null;
  if (before?.principal?.kind === "user") return;
  const body = { secret };
  for (const name of kind.fields) {
    const value = form.elements[name].value;
    if (value !== "") body[name] = value;
  }
  const answer = await fetch(`/api/v1/session/${kind.path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return;
  const said = await answer.json().catch(() => ({}));
  if (said.code === "LINK_INVALID") {
    // The same link again, in the browser that it has opened.
    if (before?.principal) return;
    throw new SpentLinkError("This link was used or has expired. Ask for a new one.");
  }
  const detail = said.detail ?? `Tower answered with the status ${answer.status}.`;
  throw new Error(said.field ? `${said.field}: ${detail}` : detail);
}

async function sessionNow() {
  const answer = await fetch("/api/v1/session");
  return answer.ok ? answer.json() : null;
}
