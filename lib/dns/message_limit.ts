/** How much goes into one UPDATE. */

/** Whether the message takes one more record, of this name and in this zone; if so, it is in. */
export type Fits = (name: string, zone: string) => boolean;
/** Begins a message. */
export type NextMessage = () => Fits;

/** BIND takes more, but a batch that is refused is halved. */
const MAX_RECORDS = 500;
/** A message has 65,535; a record names its host twice, and late names are not compressed. */
const MAX_OCTETS = 60_000;
/** What a deletion and an addition take at the most besides the name, compressed or not. */
const RECORD_OCTETS = 40;
/**
 * nsupdate takes TCP for more than 512 octets, with a connection for each
 * message, whose port is not free again for a minute. 212 are for the header,
 * the zone and the signature.
 */
const SMALL_OCTETS = 300;
/** Milliseconds from one message over TCP to the next: 250 a second leave half the ports free. */
const BIG_PAUSE = 4;

/** @param now milliseconds, of a clock that nobody sets */
export function limitMessages(now: () => number): NextMessage {
  let bigAt = -Infinity;
  return () => {
    const mayBeBig = now() - bigAt >= BIG_PAUSE;
    let records = 0, octets = 0, compressed = 0;
    return (name, zone) => {
      octets += 2 * name.length + RECORD_OCTETS;
      compressed += name.length - zone.length + RECORD_OCTETS;
      const fits = records === 0 ||
        (mayBeBig ? records < MAX_RECORDS && octets <= MAX_OCTETS : compressed <= SMALL_OCTETS);
      if (!fits) return false;
      records++;
      if (compressed > SMALL_OCTETS) bigAt = now();
      return true;
    };
  };
}
