// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/admission.h"

#include <algorithm>

namespace synward::flood {

Admission::Admission(const AdmissionSettings& settings, Instant start)
    : settings_(settings), retransmits_(settings.retransmits_per_second, start) {}

void Admission::set_settings(const AdmissionSettings& settings, Instant now) {
  settings_ = settings;
  retransmits_ = RateBudget(settings.retransmits_per_second, now);
}

bool Admission::pressured(const flow::HalfOpenQueue& queue) {
  if (queue.size() >= settings_.high_entries) {
    pressured_ = true;
  } else if (queue.size() <= settings_.low_entries) {
    pressured_ = false;
  }
  return pressured_;
}

Admission::Decision Admission::decide(flow::HalfOpenQueue& queue, const wire::Address& client,
                                      Instant now) {
  // A queue so small that a tenth is nothing still remembers one of each prefix.
  const std::uint32_t tenth = std::max(queue.capacity() / 10, 1U);
  if (queue.prefix_entries(client) >= tenth) return {};

  const bool full = queue.size() == queue.capacity();
  if (!pressured(queue) && !full) return {.remember = true};

  flow::HalfOpenEntry* const oldest = queue.oldest();
  const bool crowded = full || queue.size() >= settings_.high_entries;
  if (crowded && oldest != nullptr && flow::age(*oldest, now) >= settings_.keep_at_least)
    return {.remember = true, .displace = oldest};
  return {.remember = !full};
}

bool Admission::may_retransmit(const flow::HalfOpenQueue& queue, const flow::HalfOpenEntry& entry,
                               Instant now) {
  if (!pressured(queue)) return true;
  return entry.retransmits == 0 && retransmits_.spend(now);
}

}  // namespace synward::flood
