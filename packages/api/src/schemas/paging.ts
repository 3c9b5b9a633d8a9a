import { z } from "zod";

/** In the query of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().min(1).max(2_000).optional(),
};

/** `null`: there is no further page. */
export const nextCursor = z.string().nullable();
