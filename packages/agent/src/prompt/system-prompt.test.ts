import { describe, expect, test } from "vitest";
import { type PromptFacts, systemPrompt } from "./system-prompt.ts";

const FACTS: PromptFacts = {
  workspace: "/home/ada/projects/engine",
  platform: "linux x64",
  date: "2026-11-20",
  git: { branch: "main" },
  toolNames: ["read_file", "list_files", "search", "edit_file", "bash"],
  autoCommit: true,
  instructions: "",
};

describe("the system prompt", () => {
  test("takes less than 4 KB with every tool", () => {
    expect(Buffer.byteLength(systemPrompt(FACTS))).toBeLessThan(4_096);
  });

  test("says where the agent is, and on which day", () => {
    const prompt = systemPrompt(FACTS);
    expect(prompt).toContain("Workspace: /home/ada/projects/engine");
    expect(prompt).toContain("Platform: linux x64");
    expect(prompt).toContain("Date: 2026-11-20");
    expect(prompt).toContain("Git repository: yes, on branch main");
    expect(systemPrompt({ ...FACTS, git: undefined })).toContain("Git repository: none");
    expect(systemPrompt({ ...FACTS, git: { branch: undefined } })).toContain("no branch checked out");
  });

  test("speaks only of the tools that are there", () => {
    const prompt = systemPrompt({ ...FACTS, toolNames: ["read_file"] });
    expect(prompt).toContain("use read_file.");
    expect(prompt).not.toContain("edit_file");
    expect(prompt).not.toContain("bash");
    expect(prompt).not.toContain("shell");
  });

  test("forbids commits only where they are made for the agent", () => {
    expect(systemPrompt(FACTS)).toContain("Do not commit");
    expect(systemPrompt({ ...FACTS, autoCommit: false })).not.toContain("Do not commit");
  });

  test("ends with the instructions", () => {
    expect(systemPrompt({ ...FACTS, instructions: "Be kind." })).toMatch(/\n\nBe kind\.$/);
  });
});
