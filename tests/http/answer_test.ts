import { assertEquals, assertMatch } from "@std/assert";
import { answerBytes } from "../../lib/http/answer.ts";

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("an answer is never cached, and says how long it is and whether it is the last", () => {
  const date = String.raw`date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`;
  const answer = textOf(answerBytes({ status: 200, body: "OK" }, false));
  assertMatch(
    answer,
    new RegExp(
      "^HTTP/1.1 200 OK\r\ncache-control: no-store\r\ncontent-type: text/plain;charset=UTF-8\r\n" +
        `${date}\r\ncontent-length: 2\r\n\r\nOK$`,
    ),
  );
  const last = textOf(
    answerBytes({ status: 405, body: null, headers: { allow: "GET", x: "y" } }, true),
  );
  assertMatch(
    last,
    new RegExp(
      "^HTTP/1.1 405 Method Not Allowed\r\ncache-control: no-store\r\nallow: GET\r\nx: y\r\n" +
        `${date}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n$`,
    ),
  );
});

Deno.test("an answer may have a type of its own, and a body that comes behind it", () => {
  const body = new TextEncoder().encode("grün");
  const answer = textOf(
    answerBytes({ status: 200, body, headers: { "content-type": "a/b" } }, true),
  );
  assertMatch(answer, /\r\ncontent-length: 5\r\n\r\n$/);
  assertEquals(answer.match(/content-type: .*/g), ["content-type: a/b"]);
});

Deno.test("the length of an answer is that of its octets, and its date is the present", () => {
  const before = Math.floor(Date.now() / 1000) * 1000;
  const answer = textOf(answerBytes({ status: 200, body: "grün €" }, true));
  assertMatch(answer, /\r\ncontent-length: 9\r\n\r\ngrün €$/);
  const [, date] = /\r\ndate: (.*)\r\n/.exec(answer) ?? [];
  const time = Date.parse(date!);
  assertEquals([time >= before, time <= Date.now()], [true, true]);
});
