// Streams joint targets to a served arm at up to 1 kHz, written from docs/protocol.md.
//
//     servo --address tcp://127.0.0.1:5555 --seconds 5 --rate 1000
//
// A single thread wakes at absolute deadlines, reads the replies that have arrived, and sends one
// target without waiting for its reply. It renews the lease four times per time to live.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <deque>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kPi = 3.14159265358979323846;
constexpr double kAmplitude = 0.3;          // of the last joint [rad]
constexpr double kPeriod = 2.0;             // of its oscillation [s]
constexpr double kLeaseTtl = 1.0;           // time to live of the lease without a renewal [s]
constexpr double kValidFor = 0.2;           // validity of a target after its reference time [s]
constexpr std::size_t kMaxUnanswered = 16;  // further targets would be outdated when they arrive
constexpr std::chrono::milliseconds kTimeout{2000};

volatile std::sig_atomic_t interrupted = 0;

std::runtime_error refusal(const json& error) {
  const auto text = [&](const char* key) { return error.at(key).get<std::string>(); };
  return std::runtime_error(text("code") + ": " + text("message") + ". Fix: " + text("fix"));
}

zmq::socket_t open_socket(zmq::context_t& context, zmq::socket_type type,
                          const std::string& address) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::immediate, 1);
  socket.set(zmq::sockopt::sndtimeo, static_cast<int>(kTimeout.count()));
  socket.set(zmq::sockopt::rcvtimeo, static_cast<int>(kTimeout.count()));
  if (type == zmq::socket_type::sub) {
    socket.set(zmq::sockopt::conflate, 1);
    socket.set(zmq::sockopt::subscribe, "");
  }
  socket.connect(address);
  return socket;
}

// Repeats a call of ZeroMQ that a signal interrupts.
template <typename Call>
auto uninterrupted(Call call) {
  for (;;) {
    try {
      return call();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

// Returns the next message; null if there is none (`dontwait`) or the wait timed out.
json receive(zmq::socket_t& socket, zmq::recv_flags flags = zmq::recv_flags::none) {
  zmq::message_t frame;
  if (!uninterrupted([&] { return socket.recv(frame, flags); })) return nullptr;
  return json::parse(frame.to_string_view());
}

class Server {
 public:
  Server(zmq::context_t& context, const std::string& address)
      : socket_(open_socket(context, zmq::socket_type::dealer, address)) {}

  // Sends a command and waits for its reply; replies to earlier commands are recorded meanwhile.
  json ask(json command) {
    const std::int64_t id = ++count_;
    command["id"] = id;
    if (!send(command, zmq::send_flags::none)) throw std::runtime_error("no answer");
    for (;;) {
      const json reply = receive(socket_);
      if (reply.is_null()) throw std::runtime_error("no answer");
      update_time(reply);
      if (reply.at("id") != id && reply.at("id") != 0) {
        record(reply);
      } else if (reply.at("type") == "error") {
        throw refusal(reply);
      } else {
        return reply;
      }
    }
  }

  // Sends a command without waiting. Returns false if it was not sent, because too many commands
  // have no reply or the send queue is full.
  bool post(json command) {
    if (unanswered_.size() >= kMaxUnanswered) return false;
    command["id"] = count_ + 1;
    if (!send(command, zmq::send_flags::dontwait)) return false;
    unanswered_.push_back({++count_, Clock::now()});
    return true;
  }

  // Reads the replies that have arrived.
  void collect() {
    for (json reply; !(reply = receive(socket_, zmq::recv_flags::dontwait)).is_null();) {
      update_time(reply);
      record(reply);
    }
    if (!unanswered_.empty() && Clock::now() - unanswered_.front().sent_at > kTimeout)
      throw std::runtime_error("no answer");
  }

  void update_time(const json& message) {
    time_ = std::max(time_, message.at("time").get<double>());
  }

  // Returns the newest server time received, which is the reference_time of a command.
  double time() const { return time_; }

  const std::map<std::string, int>& refused() const { return refused_; }

  double round_trip_ms(double share) {
    if (round_trips_ms_.empty()) return std::nan("");
    std::sort(round_trips_ms_.begin(), round_trips_ms_.end());
    return round_trips_ms_[static_cast<std::size_t>(share * (round_trips_ms_.size() - 1))];
  }

 private:
  struct Sent {
    std::int64_t id;
    Clock::time_point sent_at;
  };

  bool send(const json& command, zmq::send_flags flags) {
    const std::string text = command.dump();
    return uninterrupted([&] { return socket_.send(zmq::buffer(text), flags); }).has_value();
  }

  void record(const json& reply) {
    const std::int64_t id = reply.at("id");
    for (; !unanswered_.empty() && unanswered_.front().id <= id; unanswered_.pop_front()) {
      const Seconds trip = Clock::now() - unanswered_.front().sent_at;
      round_trips_ms_.push_back(1e3 * trip.count());
    }
    if (reply.at("type") != "error") return;
    const std::string code = reply.at("code");
    ++refused_[code];
    // After these refusals the next target may be accepted: this one was late, or the arm has a
    // recoverable fault. Other faults end the lease, and the server refuses with no_lease.
    if (code != "stale" && code != "out_of_order" && code != "not_now") throw refusal(reply);
  }

  zmq::socket_t socket_;
  std::int64_t count_ = 0;
  double time_ = 0.0;
  std::deque<Sent> unanswered_;
  std::map<std::string, int> refused_;
  std::vector<double> round_trips_ms_;
};

void servo(const std::string& address, double seconds, double rate) {
  zmq::context_t context;
  Server server(context, address);
  const json welcome = server.ask({{"type", "hello"}, {"client", "servo.cpp"}});
  zmq::socket_t telemetry =
      open_socket(context, zmq::socket_type::sub, welcome.at("telemetry_address"));
  const std::string lease =
      server.ask({{"type", "acquire"}, {"holder", "servo.cpp"}, {"ttl_s", kLeaseTtl}}).at("lease");
  json state = receive(telemetry);
  if (state.is_null()) throw std::runtime_error("no telemetry");
  const auto start = state.at("joint_position").get<std::vector<double>>();
  std::cout << welcome.at("robot").get<std::string>() << ", servo at "
            << 1 / welcome.at("servo_period_s").get<double>() << " Hz\n";

  std::int64_t seq = 0;
  int sent = 0, dropped = 0;
  double reached = 0.0;
  const auto period = std::chrono::duration_cast<Clock::duration>(Seconds(1 / rate));
  const auto begin = Clock::now();
  auto due = begin, renewal = begin;
  while (!interrupted && Clock::now() - begin < Seconds(seconds)) {
    server.collect();
    const json newest = receive(telemetry, zmq::recv_flags::dontwait);
    if (!newest.is_null()) {
      server.update_time(newest);
      const double joint = newest.at("joint_position").back();
      reached = std::max(reached, std::abs(joint - start.back()));
    }
    std::vector<double> target = start;
    target.back() += kAmplitude * std::sin(2 * kPi / kPeriod * Seconds(due - begin).count());
    const bool posted = server.post({{"type", "servo_joint"}, {"lease", lease}, {"seq", seq + 1},
                                     {"reference_time", server.time()}, {"valid_for_s", kValidFor},
                                     {"joint_position", target}});
    seq += posted;
    ++(posted ? sent : dropped);
    if (Clock::now() >= renewal && server.post({{"type", "renew"}, {"lease", lease}}))
      renewal = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(kLeaseTtl / 4));
    due = std::max(due + period, Clock::now());  // missed deadlines are skipped
    std::this_thread::sleep_until(due);
  }
  server.ask({{"type", "release"}, {"lease", lease}});

  std::cout << sent << " targets sent, " << dropped << " dropped, refused:";
  for (const auto& [code, count] : server.refused()) std::cout << ' ' << count << ' ' << code;
  std::cout << (server.refused().empty() ? " none\n" : "\n") << "round trip p50 "
            << server.round_trip_ms(0.5) << " ms, p99 " << server.round_trip_ms(0.99) << " ms\n"
            << "the last joint moved by " << reached << " rad; the arm holds\n";
}

int main(int count, char** words) {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  std::map<std::string, std::string> options{
      {"--address", "tcp://127.0.0.1:5555"}, {"--seconds", "5"}, {"--rate", "1000"}};
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count || !options.count(words[i])) {
      std::cerr << "servo [--address ADDRESS] [--seconds SECONDS] [--rate HZ]\n";
      return 2;
    }
    options[words[i]] = words[i + 1];
  }
  try {
    const double rate = std::clamp(std::stod(options["--rate"]), 1.0, 1000.0);
    servo(options["--address"], std::stod(options["--seconds"]), rate);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "servo: " << error.what() << " (" << options["--address"] << ")\n";
    return 1;
  }
}
