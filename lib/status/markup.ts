/** HTML in which no text from outside can be anything but text. */

/** A piece of HTML. */
export class Markup {
  constructor(readonly text: string) {}
}

type Value = string | number | Markup | readonly Markup[];

/** The template as HTML; what is put into it is escaped, for text and for attributes in quotes. */
export function markup(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = parts[0]!;
  for (const [index, value] of values.entries()) text += textOf(value) + parts[index + 1];
  return new Markup(text);
}

const ODD = /[&<>"']/;

function textOf(value: Value): string {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(({ text }: Markup) => text).join("");
  const text = String(value);
  if (!ODD.test(text)) return text;
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
