// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every RST that synward sends: to both ends of a connection that it ends, and in answer to a
// segment of none. Seen by proxy/engine only.
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// To one end of a connection, while it lasts: at the number that this end expects.
void reset_client(Core& core, const flow::Flow& flow, Outbox& out);
void reset_backend(Core& core, const flow::Flow& flow, Outbox& out);  // if it has heard of us

// RFC 9293 3.10.7.1: what a closed port answers; acceptable to whoever sent the segment.
wire::SegmentToSend reset_for(const wire::Segment& segment);
// Answers with that, within the limit of such answers; a RST never.
void refuse(Core& core, const Arrival& arrival);
// Of a connection that was given up before any backend took it: a RST once more (S3).
Decision given_up(const Arrival& arrival, flow::Flow& flow);
// What a backend says of an old connection on the same ports, in answer to our SYN.
void reset_old_connection(const Arrival& arrival, const flow::Flow& flow);

}  // namespace synward::engine
