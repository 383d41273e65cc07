// SPDX-License-Identifier: GPL-2.0-or-later
//
// ICMP errors, by whom they are for.
#pragma once
#include <optional>
#include <span>

#include "proxy/engine/core.h"

namespace synward::engine {

// `listens` are called where the quoted segment came from. Nothing if it is of no connection of
// ours, nor of a challenge that is remembered.
std::optional<Decision> error_for_backend(Core& core, const wire::IcmpError& error,
                                          std::span<const std::uint16_t> listens);
struct ErrorArrival {
  Instant now;
  const wire::IcmpError& error;
  bool of_this_host;  // made by our own kernel, which nobody else can do in its name
  Outbox& out;
};
// The quoted segment was for a backend. Nothing if it is of no connection of ours.
std::optional<Decision> error_for_client(Core& core, const ErrorArrival& arrival);
// Neither knew it; `listens` as above, maybe none.
Decision error_of_no_connection(Core& core, const wire::IcmpError& error,
                                std::span<const std::uint16_t> listens);

}  // namespace synward::engine
