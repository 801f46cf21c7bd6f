// Talks to the playground's server: loading, acting, and the live websocket.
// Every address is relative, so the secret token in the page's own address is part of it.

export class Refused extends Error {}

async function answered(response) {
  const data = await response.json().catch(() => ({ error: "The playground did not answer; is it still running?" }));
  if (!response.ok) throw new Refused(data.error || "The playground refused.");
  return data;
}

async function asked(address, options) {
  try {
    return await answered(await fetch(address, options));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("The playground does not answer; is it still running?");
  }
}

/** Load `name` ("state", "channel") with query parameters. */
export function load(name, parameters) {
  return asked(`api/${name}?${new URLSearchParams(parameters)}`);
}

/** Do something as a person; `files` travel beside the body and are named there by index. */
export function act(name, body, files = []) {
  if (!files.length) {
    const headers = { "Content-Type": "application/json" };
    return asked(`api/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
  }
  const form = new FormData();
  form.append("payload_json", JSON.stringify(body));
  files.forEach((file, index) => form.append(`files[${index}]`, file, file.name || "picture.png"));
  return asked(`api/${name}`, { method: "POST", body: form });
}

/** Keep a websocket open; `onEvent` hears events, `onState` whether it is open (after a gap events are missing). */
export function live({ onEvent, onState }) {
  let wait = 500; // milliseconds, doubled up to 8 s while the server is away
  const open = () => {
    const address = new URL("ws", location.href);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => {
      wait = 500;
      onState(true);
    };
    socket.onmessage = (message) => onEvent(JSON.parse(message.data));
    socket.onclose = () => {
      onState(false);
      setTimeout(open, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  open();
}
