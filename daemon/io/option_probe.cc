// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/option_probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "daemon/io/descriptor.h"
#include "proxy/wire/bytes.h"
#include "proxy/wire/emit.h"

namespace synward::io {
namespace {

using wire::Endpoint;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// Of a raw socket: the port would be taken for a protocol.
SocketAddress address_of(const wire::Address& address) {
  SocketAddress result;
  if (address.is_ipv4()) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    std::memcpy(&ipv4.sin_addr, address.ipv4().data(), 4);
    std::memcpy(&result.storage, &ipv4, sizeof ipv4);
    result.length = sizeof ipv4;
  } else {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    std::memcpy(&ipv6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&result.storage, &ipv6, sizeof ipv6);
    result.length = sizeof ipv6;
  }
  return result;
}

// The local end of a socket, in the form of `like`'s family.
std::optional<Endpoint> local_end(int fd, const Endpoint& like) {
  SocketAddress address;
  if (getsockname(fd, address.get(), &address.length) != 0) return std::nullopt;
  Endpoint result = like;
  if (like.address.is_ipv4()) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof ipv4);
    std::memcpy(result.address.bytes.data() + 12, &ipv4.sin_addr, 4);
    result.port = ntohs(ipv4.sin_port);
  } else {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, &address.storage, sizeof ipv6);
    std::memcpy(result.address.bytes.data(), &ipv6.sin6_addr, 16);
    result.port = ntohs(ipv6.sin6_port);
  }
  return result;
}

struct Question {
  Endpoint target, source;
  std::uint32_t isn = 0;
  Descriptor raw;   // sends the SYN and sees all TCP that comes from the target's address
  Descriptor port;  // keeps the source port from the kernel's own connections; never connected
  bool open = false;
  unsigned syns = 0;  // sent

  static Question to(const Endpoint& target);
  void send();
  void close();
  std::optional<OptionProbe::Answer> receive() const;
  std::optional<OptionProbe::Answer> read(std::span<const std::uint8_t> tcp) const;
};

Question Question::to(const Endpoint& target) {
  Question question;
  question.target = target;
  const int family = target.address.is_ipv4() ? AF_INET : AF_INET6;
  question.raw = Descriptor(socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  question.port = Descriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!question.raw.valid() || !question.port.valid()) return question;
  // Connected: the route gives our address, and only the target's packets are delivered.
  SocketAddress address = address_of(target.address);
  if (connect(question.raw.get(), address.get(), address.length) != 0) return question;
  const auto source = local_end(question.raw.get(), target);
  if (!source) return question;
  SocketAddress any = address_of(source->address);
  if (bind(question.port.get(), any.get(), any.length) != 0) return question;
  const auto bound = local_end(question.port.get(), target);
  if (!bound || getrandom(&question.isn, sizeof question.isn, 0) < 0) return question;
  question.source = {source->address, bound->port};
  question.open = true;
  return question;
}

void Question::send() {
  ++syns;
  wire::SegmentToSend syn;
  syn.source = source;
  syn.destination = target;
  syn.seq = wire::SeqNumber(isn);
  syn.flags = wire::flag_syn | wire::flag_ece | wire::flag_cwr;
  syn.window = 65535;
  const std::uint16_t mss = target.address.is_ipv4() ? 65495 : 65475;  // no limit of ours
  syn.options = {
      .mss = mss, .window_scale = 7, .sack_permitted = true, .timestamps = wire::Timestamps{1, 0}};
  std::array<std::uint8_t, wire::emitted_headers_max> bytes{};
  const std::size_t length = wire::emit(bytes, syn);
  const std::size_t skipped =
      target.address.is_ipv4() ? wire::ipv4_header_length : wire::ipv6_header_length;
  // What cannot be sent is not answered: that is how it is noticed.
  [[maybe_unused]] const ssize_t sent =
      ::send(raw.get(), bytes.data() + skipped, length - skipped, MSG_NOSIGNAL);
}

void Question::close() {
  open = false;
  raw = Descriptor();
  port = Descriptor();
}

// IPv4 raw sockets deliver the IP header, IPv6 ones do not (raw(7), RFC 3542 3).
std::optional<OptionProbe::Answer> Question::receive() const {
  std::array<std::uint8_t, 2048> buffer{};
  for (;;) {
    const ssize_t got = recv(raw.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return std::nullopt;
    std::span<const std::uint8_t> tcp(buffer.data(), static_cast<std::size_t>(got));
    if (target.address.is_ipv4()) {
      const std::size_t header = (tcp[0] & 15U) * 4U;
      if (tcp.size() < header) continue;
      tcp = tcp.subspan(header);
    }
    if (auto answer = read(tcp)) return answer;
  }
}

std::optional<OptionProbe::Answer> Question::read(std::span<const std::uint8_t> tcp) const {
  if (tcp.size() < wire::tcp_header_min) return std::nullopt;
  const std::size_t header = (tcp[12] >> 4U) * 4U;
  if (header < wire::tcp_header_min || header > tcp.size()) return std::nullopt;
  const bool ours = wire::load_be16(&tcp[0]) == target.port &&
                    wire::load_be16(&tcp[2]) == source.port &&
                    wire::load_be32(&tcp[wire::tcp_ack_offset]) == isn + 1;
  const std::uint16_t flags = tcp[13];
  if (!ours || (flags & wire::flag_ack) == 0) return std::nullopt;
  if ((flags & wire::flag_rst) != 0) return OptionProbe::Answer{.refused = true, .options = {}};
  const auto options = wire::parse_tcp_options(tcp.first(header), wire::BadOption::refused);
  if ((flags & wire::flag_syn) == 0 || !options) return std::nullopt;
  return OptionProbe::Answer{
      .window = wire::load_be16(&tcp[wire::tcp_window_offset]),
      .options = *options,
      .ecn_echo = (flags & wire::flag_ece) != 0 && (flags & wire::flag_cwr) == 0};
}

}  // namespace

// Two descriptors each: with the default limit of 1024 there must be some left for everything else.
constexpr std::ptrdiff_t at_once_max = 64;
constexpr unsigned syns_max = 4;

struct OptionProbe::Impl {
  std::vector<Question> questions;  // to the first of the targets; a closed one is over
  std::vector<Endpoint> targets;

  void fill() {
    auto open = std::ranges::count_if(questions, &Question::open);
    while (open < at_once_max && questions.size() < targets.size()) {
      Question& question = questions.emplace_back(Question::to(targets[questions.size()]));
      if (question.open) {
        question.send();
        ++open;
      } else {
        question.close();
      }
    }
  }
};

OptionProbe::OptionProbe() : impl_(std::make_unique<Impl>()) {}
OptionProbe::OptionProbe(OptionProbe&&) noexcept = default;
OptionProbe& OptionProbe::operator=(OptionProbe&&) noexcept = default;
OptionProbe::~OptionProbe() = default;

void OptionProbe::ask(std::span<const Endpoint> targets) {
  impl_->questions.clear();
  impl_->targets.assign(targets.begin(), targets.end());
  impl_->fill();
}

void OptionProbe::ask_again() {
  for (Question& question : impl_->questions) {
    if (!question.open) continue;
    if (question.syns < syns_max) {
      question.send();
    } else {
      question.close();
    }
  }
  impl_->fill();
}

bool OptionProbe::waiting() const {
  return impl_->questions.size() < impl_->targets.size() ||
         std::ranges::any_of(impl_->questions, &Question::open);
}

std::vector<OptionProbe::Answer> OptionProbe::collect(std::chrono::milliseconds patience) {
  std::vector<pollfd> sources;
  for (const Question& question : impl_->questions) {
    if (question.open) sources.push_back({question.raw.get(), POLLIN, 0});
  }
  std::vector<Answer> answers;
  if (sources.empty() ||
      poll(sources.data(), sources.size(), static_cast<int>(patience.count())) <= 0) {
    return answers;
  }
  for (std::size_t i = 0; i < impl_->questions.size(); ++i) {
    Question& question = impl_->questions[i];
    if (!question.open) continue;
    auto answer = question.receive();
    if (!answer) continue;
    answer->target = i;
    answers.push_back(*answer);
    question.close();
  }
  impl_->fill();
  return answers;
}

}  // namespace synward::io
