#!/usr/bin/env node
import { launch } from "@loom/launcher";

await launch(new URL("../src/main.ts", import.meta.url));
