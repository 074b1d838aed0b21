// Package evaluation answers flags as docs/evaluation.md describes it. It was written from that page alone and uses the
// standard library only, so it shows whether the page is complete. It is made for comparing answers, not for speed.
//
// A [Data] holds the flags, segments and circuits of an app; [Data.Evaluate] answers a [Question].
//
// # Strings
//
// JSON can say text that is not valid Unicode: a surrogate without its other half. Strings in this package hold such a
// surrogate as the three bytes that UTF-8 would use for it if it could. [ValidText] tells whether there is one, and
// [Quote] writes it as JSON again.
package evaluation
