"use strict";
// Pages that were kept for a phone without a line go when somebody signs out; answers that wait stay.
if ("caches" in window) caches.delete("datong-factory");
