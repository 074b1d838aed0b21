/** What one can do about an attempt that failed, by what the receiver or Tower said; null where nothing is known. */
export function adviceFor(status: number | null, error: string | null): string | null {
  if (error === null) return null;
  if (error.includes("TAILSLIDE_ALERT_ALLOWED_NETWORKS")) {
    return "Give an address that can be reached from the internet, or let whoever runs Tower add the receiver's network to TAILSLIDE_ALERT_ALLOWED_NETWORKS and start Tower again.";
  }
  if (status === 410) return "The receiver is gone for good. Change the address, then enable the webhook again.";
  if (status === 401 || status === 403 || status === 404) {
    return "The receiver does not know this address. Make a new one there and change it here.";
  }
  if (status === 429) return "The receiver wants fewer messages. Alerts are tried again after the time that it gives.";
  if (status !== null && status >= 300 && status < 400) return "Change the address to the one that it leads to.";
  if (status !== null && status >= 500)
    return "The receiver has a problem of its own. Alerts are tried again for a day.";
  if (status !== null)
    return "The receiver did not accept the message. Is this an address of the kind that you have chosen?";
  if (error.includes("certificate")) return "The receiver needs a certificate that is publicly trusted.";
  if (error.startsWith("could not resolve")) return "Is the name spelt correctly? Tower asks its own name server.";
  return "Can Tower reach this host? Firewalls may stop it. Alerts are tried again for a day.";
}
