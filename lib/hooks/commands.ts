/** Which lines for nsupdate a hook may give. */

/** A host with more than this has another need than an address. */
const MAX_LINES = 32;
const MAX_LINE = 1000;

/** nsupdate(1): each with its short form. Everything else is for the session, which is sftdyn's. */
const ALLOWED =
  /^ *(?:(?:update +)?(?:add|del|delete) +[^ ]|(?:prereq +)?(?:nx|yx)(?:domain|rrset) +[^ ])/i;

/**
 * Checks the lines of one update.
 *
 * @throws {RangeError} what is wrong, without what is in a line
 */
export function checkCommands(lines: readonly string[]): readonly string[] {
  if (lines.length === 0) throw new RangeError("no commands: expected a line at least, or nothing");
  if (lines.length > MAX_LINES) {
    throw new RangeError(`${lines.length} commands: expected at most ${MAX_LINES}`);
  }
  let changes = 0;
  lines.forEach((line, i) => {
    const place = `command ${i + 1}`;
    if (line.length > MAX_LINE) {
      throw new RangeError(`${place} has ${line.length} characters: expected at most ${MAX_LINE}`);
    }
    if (!/^[ -~]*$/.test(line)) {
      throw new RangeError(`${place} has a character that is no printable ASCII, or several lines`);
    }
    if (!ALLOWED.test(line)) {
      throw new RangeError(
        `${place} is none that a hook may give: expected "update add …", "update delete …" or ` +
          '"prereq …"; sftdyn sends them by itself',
      );
    }
    if (!/^ *(?:prereq\b|nx|yx)/i.test(line)) changes++;
  });
  if (changes === 0) throw new RangeError('no command changes anything: expected "update add …"');
  return lines;
}
