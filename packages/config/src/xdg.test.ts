import { describe, expect, it } from "vitest";
import { loomDirectories } from "./xdg.ts";

describe("loomDirectories", () => {
  it("uses the defaults of the specification under the home directory", () => {
    expect(loomDirectories({ HOME: "/home/ada" })).toEqual({
      config: "/home/ada/.config/loom",
      data: "/home/ada/.local/share/loom",
      state: "/home/ada/.local/state/loom",
      cache: "/home/ada/.cache/loom",
    });
  });

  it("follows each variable that holds an absolute path", () => {
    const env = {
      HOME: "/home/ada",
      XDG_CONFIG_HOME: "/c",
      XDG_DATA_HOME: "/d",
      XDG_STATE_HOME: "/s",
      XDG_CACHE_HOME: "/k/",
    };
    expect(loomDirectories(env)).toEqual({ config: "/c/loom", data: "/d/loom", state: "/s/loom", cache: "/k/loom" });
  });

  it("ignores variables that are empty or relative, as the specification asks", () => {
    const env = { HOME: "/home/ada", XDG_CONFIG_HOME: "", XDG_DATA_HOME: "relative/data" };
    expect(loomDirectories(env)).toMatchObject({
      config: "/home/ada/.config/loom",
      data: "/home/ada/.local/share/loom",
    });
  });

  it("refuses a home directory that is not absolute", () => {
    expect(() => loomDirectories({ HOME: "somewhere" })).toThrow(/set HOME or XDG_CONFIG_HOME/);
  });
});
