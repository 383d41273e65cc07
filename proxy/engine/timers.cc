// SPDX-License-Identifier: GPL-2.0-or-later
//
// What happens because nothing happened: challenges are repeated and forgotten, backends asked
// again, idle connections ended, ended ones forgotten.
#include "proxy/engine/timers.h"

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"
#include "proxy/engine/step_challenge.h"
#include "proxy/engine/step_complete.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::HalfOpenEntry;
using flow::Phase;

namespace {

// H2: waits of 1, 2, 4 ... times synack_timeout, then the entry expires. Under pressure the waits
// go on, but few of the SYN-ACKs are sent (H3).
void wait_over(Core& core, ServiceState& service, HalfOpenEntry& entry, Instant now, Outbox& out) {
  ++entry.waits;
  if (core.schedule.over(entry)) {
    service.counters.half_open_expired.add();
    forget(service, entry);
    return;
  }
  const wire::Address& client = entry.key.client;
  if (service.synacks.allows(client, now) &&
      service.admission.may_retransmit(service.queue, entry, now)) {
    service.synacks.spend(client, now);
    ++entry.retransmits;
    service.counters.synacks_sent.add();
    service.counters.synack_retransmits.add();
    send(out, service.counters, challenge_for(core, now, entry));
  }
  service.queue.arm(entry, now, core.schedule.wait(entry.waits));
}

void backend_silent(Core& core, Flow& flow, Instant now, Outbox& out) {
  const bool try_another = core.choice.next(flow.key, flow.backends_tried, now).has_value() &&
                           now >= flow.backend_syn_at + backend_silence;
  if (try_another || now >= flow.connect_deadline) {
    reset_backend(core, flow, out);
    pass_over(core, flow, now);
    backend_failed(core, flow, BackendFailure::timeout, now, out);
  } else {
    send_backend_syn(core, flow, now, out);
  }
}

void maybe_idle(Core& core, Flow& flow, Instant now, Outbox& out) {
  if (now - flow.last_segment >= idle_timeout(core, flow)) {
    end_silent(core, flow, now, out);
    return;
  }
  watch_idle(core, flow, now);
}

}  // namespace

// A look every minute: a shorter timeout, after a reload or as the table fills, holds for those
// that are idle already.
void watch_idle(Core& core, Flow& flow, Instant now) {
  core.flows.arm(flow, now,
                 std::min(flow.last_segment + idle_timeout(core, flow), now + look_every));
}

void half_open_timers(Core& core, Instant now, Outbox& out) {
  for (ServiceState& service : core.services) {
    while (!out.nearly_full()) {
      HalfOpenEntry* entry = service.queue.pop_expired(now);
      if (entry == nullptr) break;
      wait_over(core, service, *entry, now, out);
    }
    service.counters.half_open_pressured.set(service.admission.pressured(service.queue) ? 1 : 0);
  }
}

void flow_timers(Core& core, Instant now, Outbox& out) {
  while (!out.nearly_full()) {
    Flow* flow = core.flows.pop_expired(now);
    if (flow == nullptr) return;
    switch (flow->phase) {
      case Phase::connecting:
        backend_silent(core, *flow, now, out);
        break;
      case Phase::spliced:
        if (is_provisional(*flow)) {
          erase_flow(core, *flow);
          break;
        }
        if (flow->reset_possible) {  // and silence since
          end_flow(core, *flow, CloseReason::reset, now);
          break;
        }
        if (flow->window_updates_left > 0) {
          open_window(core, *flow, now, out);
          break;
        }
        maybe_idle(core, *flow, now, out);
        break;
      case Phase::lingering:
        erase_flow(core, *flow);
        break;
    }
  }
}

}  // namespace synward::engine
