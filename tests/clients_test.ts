import { assertEquals } from "@std/assert";
import {
  Clients,
  digest,
  type Host,
  JoinedClients,
  type KeyDigest,
  keyId,
  parseDigest,
} from "../lib/clients.ts";
import { parseHostname } from "../lib/hostname.ts";
import { parseInterfaceId } from "../lib/prefix.ts";

function host(name: string, ttl = 30): Host {
  return { name: parseHostname(name), ttl };
}

Deno.test("digest() is the SHA-256 of the key's UTF-8 form, and keyId() its beginning", () => {
  // FIPS 180-4's own example, and `printf 'é' | sha256sum`.
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" as KeyDigest;
  assertEquals(digest("abc"), abc);
  assertEquals<string>(
    digest("é"),
    "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c",
  );
  assertEquals(keyId(abc), "ba7816bf");
});

Deno.test("Clients.find() finds a client by its exact key, or by the key unescaped once", () => {
  const keys = [
    "plain",
    "host=a.dyn.example,key=4bea",
    "?hostname=a&password=p",
    "a,b",
    "é",
    "50%",
    "%41",
    "a%2Cc",
    "..",
    "sha256",
  ];
  const clients = new Clients();
  for (const [i, key] of keys.entries()) {
    clients.add(digest(key), { hosts: [host(`h${i}.dyn.example`)] });
  }
  const table: [string, string | undefined][] = [
    ["plain", "plain"],
    ["pl%61in", "plain"],
    ["host=a.dyn.example,key=4bea", "host=a.dyn.example,key=4bea"],
    ["host%3Da.dyn.example%2ckey=4bea", "host=a.dyn.example,key=4bea"],
    ["?hostname=a&password=p", "?hostname=a&password=p"],
    ["%3Fhostname=a&password=p", "?hostname=a&password=p"],
    ["a%2Cb", "a,b"],
    ["%C3%A9", "é"],
    ["50%", "50%"],
    ["50%25", "50%"],
    ["%41", "%41"],
    ["%2541", "%41"],
    ["a%2Cc", "a%2Cc"],
    ["", undefined],
    ["a,c", undefined],
    ["a%252Cb", undefined],
    ["PLAIN", undefined],
    ["plain ", undefined],
    ["plai", undefined],
    ["plain/", undefined],
    ["A", undefined],
    ["%E9", undefined],
    ["%", undefined],
    ["%zz", undefined],
    ["plain%", undefined],
    [digest("plain"), undefined],
    [`sha256:${digest("plain")}`, undefined],
    ["__proto__", undefined],
  ];
  for (const [typed, key] of table) {
    const name = key === undefined ? undefined : `h${keys.indexOf(key)}.dyn.example`;
    assertEquals([typed, clients.find(typed)?.hosts[0]?.name as string | undefined], [typed, name]);
  }
});

Deno.test("Clients.add() refuses a second client with a key and keeps the first", () => {
  const clients = new Clients();
  const first = { hosts: [host("a.dyn.example"), host("b.dyn.example")] };
  assertEquals(clients.add(digest("k"), first), true);
  assertEquals(clients.add(digest("k"), { hosts: [host("c.dyn.example")] }), false);
  assertEquals(clients.size, 1);
  assertEquals(clients.find("k"), first);
});

Deno.test("Clients.hosts() has every host once, in the order they came", () => {
  const clients = new Clients();
  assertEquals(clients.hosts(), []);
  clients.add(digest("1"), { hosts: [host("b.dyn.example", 1), host("a.dyn.example", 2)] });
  clients.add(digest("2"), { hosts: [host("c.dyn.example"), host("b.dyn.example", 9)] });
  assertEquals(clients.hosts(), [
    host("b.dyn.example", 1),
    host("a.dyn.example", 2),
    host("c.dyn.example"),
  ]);
});

Deno.test("Clients.find() gives each client its own limits, or none", () => {
  const clients = new Clients();
  clients.add(digest("1"), { hosts: [host("a.dyn.example")] });
  clients.add(digest("2"), { hosts: [host("b.dyn.example")], limits: { family: 4 } });
  clients.add(digest("3"), { hosts: [host("c.dyn.example")] });
  assertEquals(clients.find("1"), { hosts: [host("a.dyn.example")] });
  assertEquals(clients.find("2"), { hosts: [host("b.dyn.example")], limits: { family: 4 } });
  assertEquals(clients.find("3"), { hosts: [host("c.dyn.example")] });
});

Deno.test("Clients.hosts() tells the only family that a host's clients may set", () => {
  const clients = new Clients();
  const rows: [names: string, family?: 4 | 6][] = [
    ["a", 4],
    ["b c d", 6],
    ["b", 6],
    ["c", 4],
    ["d"],
    ["d", 6],
    ["e"],
    ["e", 4],
  ];
  for (const [i, [names, family]] of rows.entries()) {
    const hosts = names.split(" ").map((name) => host(`${name}.dyn.example`));
    clients.add(digest(`${i}`), { hosts, ...family && { limits: { family } } });
  }
  const found = clients.hosts().map(({ name, family }) => [name[0], family]);
  const expected: typeof found = [
    ["a", 4],
    ["b", 6],
    ["c", undefined],
    ["d", undefined],
    ["e", undefined],
  ];
  assertEquals(found, expected);
  assertEquals(new JoinedClients([clients]).hosts(), clients.hosts());
});

Deno.test("Clients has the hosts behind a client's router, with their AAAA alone", () => {
  const clients = new Clients(() => 9);
  const [nas, cam, b] = ["nas", "cam", "b"].map((label) => parseHostname(`${label}.dyn.example`));
  const id = parseInterfaceId("::1");
  const prefix = { length: 64, hosts: [{ name: nas!, id, ttl: 5 }, { name: cam!, id }] };
  clients.add(digest("1"), { hosts: [host("a.dyn.example")], prefix, address: "request" });
  clients.add(digest("2"), { hosts: [{ name: b! }, { name: cam! }] });
  assertEquals(clients.find("1")?.prefix, {
    length: 64,
    hosts: [{ name: nas!, ttl: 5, id }, { name: cam!, ttl: 9, id }],
  });
  assertEquals(clients.find("2"), { hosts: [{ name: b!, ttl: 9 }, { name: cam!, ttl: 9 }] });
  const joined = new JoinedClients([clients]);
  for (const list of [clients, joined]) {
    assertEquals(new Set(list.names()), new Set([...["a.dyn.example"], nas, cam, b]) as Set<never>);
    assertEquals(list.hosts(), [
      host("a.dyn.example"),
      { name: nas!, ttl: 5, family: 6 },
      { name: cam!, ttl: 9 },
      { name: b!, ttl: 9 },
    ]);
  }
});

Deno.test("JoinedClients has the clients of all tables", () => {
  const [one, two] = [new Clients(), new Clients()];
  one.add(digest("1"), { hosts: [host("a.dyn.example", 1)] });
  one.add(digest("2,"), { hosts: [host("b.dyn.example")], limits: { isPublicOnly: true } });
  two.add(digest("3"), { hosts: [host("c.dyn.example"), host("a.dyn.example", 9)] });
  two.add(digest("2%2C"), { hosts: [host("d.dyn.example")] });
  const clients = new JoinedClients([one, new Clients(), two]);
  assertEquals(clients.size, 4);
  for (const key of ["1", "2,"]) assertEquals(clients.find(key), one.find(key));
  assertEquals(clients.find("3"), two.find("3"));
  // As it is, it is the key of a client in a later table.
  assertEquals(clients.find("2%2C"), two.find("2%2C"));
  assertEquals(clients.find("2%2c"), one.find("2,"));
  for (const key of ["4", "%", "%33%", ""]) assertEquals(clients.find(key), undefined);
  assertEquals([...clients.names()].map((name) => name[0]), ["a", "b", "c", "a", "d"]);
  assertEquals(clients.hosts(), [
    host("a.dyn.example", 1),
    host("b.dyn.example"),
    host("c.dyn.example"),
    host("d.dyn.example"),
  ]);
});

Deno.test("parseDigest() takes 64 hex digits, and nothing else", () => {
  const abc = digest("abc");
  assertEquals(parseDigest(abc.toUpperCase()), abc);
  for (const text of ["", "abc", abc.slice(1), `${abc}0`, `g${abc.slice(1)}`, `${abc}\n`]) {
    assertEquals(parseDigest(text), undefined, text);
  }
});
