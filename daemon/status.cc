// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/status.h"

#include <fmt/format.h>

#include <array>

namespace synward {
namespace {

constexpr std::array open_states{tcp::State::established, tcp::State::fin_wait_1,
                                 tcp::State::fin_wait_2,  tcp::State::close_wait,
                                 tcp::State::closing,     tcp::State::last_ack};

std::string counted(auto number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

}  // namespace

StatusFigures sum_figures(std::size_t services, const std::deque<Counters>& counters) {
  StatusFigures sum{.services = services};
  for (const Counters& worker : counters) {
    for (const ServiceCounters& service : worker.services) {
      sum.half_open += service.half_open_connections.value();
      sum.syns_received += service.syns_received.value();
      const auto& client = service.connections[static_cast<std::size_t>(Side::client)];
      for (const tcp::State state : open_states)
        sum.connections += client[static_cast<std::size_t>(state)].value();
    }
  }
  return sum;
}

std::optional<std::string> StatusLine::turn(Instant now, const StatusFigures& figures,
                                            const std::optional<std::string>& unhealthy,
                                            bool reload_refused) {
  const bool news = !sent_at_ || unhealthy != unhealthy_ || reload_refused != reload_refused_ ||
                    figures.services != services_;
  if (!news && now - *sent_at_ < every) return std::nullopt;

  double rate = 0;
  if (sent_at_ && now > *sent_at_) {
    const std::chrono::duration<double> seconds = now - *sent_at_;
    rate = static_cast<double>(figures.syns_received - syns_before_) / seconds.count();
  }
  std::string text = unhealthy
                         ? fmt::format("not healthy: {}", *unhealthy)
                         : fmt::format("protecting {}: {} half-open, {:.0f} SYN/s, {}",
                                       counted(figures.services, "service"), figures.half_open,
                                       rate, counted(figures.connections, "connection"));
  if (reload_refused) text += "; the last reload was refused, everything is as before it";

  unhealthy_ = unhealthy;
  reload_refused_ = reload_refused;
  services_ = figures.services;
  sent_at_ = now;
  syns_before_ = figures.syns_received;
  if (text == text_) return std::nullopt;
  text_ = std::move(text);
  return text_;
}

}  // namespace synward
