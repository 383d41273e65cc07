// SPDX-License-Identifier: GPL-2.0-or-later
//
// What synward says in a connection is treated on its way like what the end says in whose name it
// does: by its DSCP, of which the client's is taken for both, and by its flow label, by which
// routers choose among equal paths. It is never marked (ECN).
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

void note_treatment(flow::Flow& flow, const wire::IpHeader& of_client);
void treat_as_client(wire::SegmentToSend& segment, const flow::Flow& flow);
void treat_as_service(const Core& core, wire::SegmentToSend& segment, const flow::Flow& flow);

}  // namespace synward::engine
