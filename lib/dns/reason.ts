/** What a nameserver's refusal means, and where to look (RFC 2136, section 2.2; RFC 8945). */

export const ALIAS_REASON = "this name is an alias (CNAME) there, and can have no address";

/** @param isSigned whether the answer carried the TSIG key's signature */
export function refusalReason(rcode: string, isSigned: boolean): string {
  if (!isSigned) {
    return `${rcode}, unsigned: the server does not accept this key or this change`;
  }
  switch (rcode) {
    case "REFUSED":
      return "REFUSED: see named's log; the zone's update-policy must grant this key, and the zone " +
        "must not be frozen (rndc thaw)";
    case "SERVFAIL":
      return "SERVFAIL: see the nameserver's log; the zone is not loaded, or it cannot write " +
        "the zone's journal";
    case "NOTAUTH":
      return "NOTAUTH: it is not authoritative for this name";
    case "NOTZONE":
      return "NOTZONE: this name is in another zone there";
    case "NOTIMP":
      return "NOTIMP: it takes no updates for this zone";
    case "FORMERR":
      return "FORMERR: it does not understand the update";
    case "YXRRSET":
      return ALIAS_REASON;
    default:
      return `the nameserver says ${rcode}`;
  }
}

/** Where the question for a name's zone was refused. */
export function noZoneReason(rcode: string): string {
  if (rcode === "REFUSED") {
    return "REFUSED: it is not authoritative for this name, or may not be asked with this key " +
      "(allow-query)";
  }
  return refusalReason(rcode, true);
}

/** Where the question for a name's zone was answered without a signature; nsupdate does not say what. */
export const UNSIGNED_ZONE_REASON =
  "an unsigned answer: the server is not authoritative for this name, or does not accept this key";
