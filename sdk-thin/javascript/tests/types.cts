// Compiled and never run: the same types for `require`.

import tailslide = require('tailslide-client');

const flags: tailslide.Client = new tailslide.Client();
const active: Promise<boolean> = flags.isActive('new-checkout', 'user-42', {}, false);

export = active;
