// Runs `verify.mjs`, which the page has, on cases.
import { readFileSync } from "node:fs";
import { verify } from "./verify.mjs";

const cases = JSON.parse(readFileSync(0, "utf8"));
const said = cases.map((one) => verify(one.secret, one.headers, Buffer.from(one.body_base64, "base64"), one.now));
console.log(JSON.stringify(said));
