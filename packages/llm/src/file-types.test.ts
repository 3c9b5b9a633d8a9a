import { expect, test } from "vitest";
import { openAiChat, openAiResponses } from "./index.ts";

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

function read(file: { readonly filename?: string; readonly file_data: string }) {
  const messages = [{ role: "user", content: [{ type: "file", file }] }];
  const input = [{ role: "user", content: [{ type: "input_file", ...file }] }];
  return [
    openAiChat.decodeRequest(JSON.stringify({ model: "m", messages })),
    openAiResponses.decodeRequest(JSON.stringify({ model: "m", input })),
  ].map((decoded) => (decoded.ok ? decoded.request.messages[0]?.content[0] : decoded.problem));
}

test.each([
  ["a.pdf", "application/pdf"],
  ["a.docx", DOCX],
  ["a.CSV", "text/csv"],
  ["a.b.md", "text/markdown"],
  [undefined, "application/pdf"],
])("bare base64 of %s is %s", (filename, mediaType) => {
  for (const block of read({ ...(filename === undefined ? {} : { filename }), file_data: "SGk=" })) {
    expect(block).toMatchObject({ type: "document", source: { type: "base64", mediaType, data: "SGk=" } });
  }
});

test.each(["a", "a.constructor", "a.bin"])(
  "bare base64 of %s is refused, since nobody knows what it is",
  (filename) => {
    for (const problem of read({ filename, file_data: "SGk=" })) {
      expect(problem).toMatch(/file_data is of a type that the file's name does not tell: send it as a data: URL/);
    }
    for (const block of read({ filename, file_data: "data:text/csv;base64,SGk=" })) {
      expect(block).toMatchObject({ source: { mediaType: "text/csv" } });
    }
  },
);
