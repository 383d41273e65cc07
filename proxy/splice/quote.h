// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/splice/translate.h"
#include "proxy/wire/icmp.h"

namespace synward::splice {

// Rewrite an ICMP error in place, so that its addressee recognises the quoted segment as its own:
// addresses, ports, SEQ and ACK of the quote, the quoted checksums as far as they are quoted, the
// error's own addressee, and its sender if that is the other end itself. Its length stays, and with
// it the MTU that it may carry: both sides of the splice have headers of one length. `error`'s
// parsed fields keep the values from before.
//
// Quoted windows, SACK blocks and timestamps stay as they are: a receiver finds its connection by
// addresses and ports and checks the sequence number (RFC 5927 4.1), and reads no further.
//
// About a segment that the service sent, as the client sees it: goes to `backend`. About a segment
// that the backend would have received: goes to the client, to whom the backend is `service`.
void translate_error_to_backend(const wire::IcmpError& error, const Offsets& offsets,
                                const wire::Endpoint& backend);
void translate_error_to_client(const wire::IcmpError& error, const Offsets& offsets,
                               const wire::Endpoint& service);

}  // namespace synward::splice
