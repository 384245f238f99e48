#include "csrc/cuda/stream.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "csrc/cuda/allocator.h"
#include "csrc/cuda/runtime.h"
#include "kernels/cuda/device_memory.h"

namespace pyengine::cuda {
namespace {

thread_local std::map<int, std::shared_ptr<Stream>> current;  // by GPU; where there is none, the default one
thread_local Graph* recorded = nullptr;

struct Graphs {
    std::recursive_mutex mutex;  // to say what is wrong a check waits for the GPU, and whoever waits asks all graphs
    std::set<Graph*> all;
};

Graphs& graphs() {
    static Graphs* instance = new Graphs;  // leaked: graphs may outlive static destruction
    return *instance;
}

/// True for success, false for work that is not done yet.
bool done(cudaError_t status, const char* call) {
    if (status == cudaErrorNotReady) return false;
    check(status, call);
    return true;
}

}  // namespace

cudaStream_t current_stream() {
    if (current.empty()) return nullptr;
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    const auto found = current.find(device);
    return found == current.end() ? nullptr : found->second->handle();
}

std::shared_ptr<Stream> current_stream_of(int device) {
    const auto found = current.find(device);
    return found == current.end() ? Stream::default_of(device) : found->second;
}

void set_current_stream(std::shared_ptr<Stream> stream) {
    if (stream->handle())
        current[stream->device()] = std::move(stream);
    else
        current.erase(stream->device());
}

Stream::Stream(int device) : device_(device) {
    const DeviceGuard guard(device);
    check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

std::shared_ptr<Stream> Stream::default_of(int device) { return std::shared_ptr<Stream>(new Stream(nullptr, device)); }

Stream::~Stream() {
    if (!handle_) return;
    cudaStreamSynchronize(handle_);  // the next stream may get the same handle, and with it the memory that was freed on this one
    forget_stream(handle_);
    cudaStreamDestroy(handle_);
}

void Stream::synchronize() const {
    const DeviceGuard guard(device_);
    check(cudaStreamSynchronize(handle_), "cudaStreamSynchronize");
    raise_faults_of_replays();
}

bool Stream::query() const {
    const DeviceGuard guard(device_);
    return done(cudaStreamQuery(handle_), "cudaStreamQuery");
}

void Stream::wait(const Event& event) const {
    const DeviceGuard guard(device_);
    if (event.handle()) check(cudaStreamWaitEvent(handle_, event.handle(), 0), "cudaStreamWaitEvent");
}

Event::~Event() {
    if (handle_) cudaEventDestroy(handle_);
}

void Event::record(cudaStream_t stream, int device) {
    const DeviceGuard guard(device);
    if (!handle_)
        check(cudaEventCreateWithFlags(&handle_, timing_ ? cudaEventDefault : cudaEventDisableTiming), "cudaEventCreateWithFlags");
    check(cudaEventRecord(handle_, stream), "cudaEventRecord");
}

void Event::synchronize() const {
    if (handle_) check(cudaEventSynchronize(handle_), "cudaEventSynchronize");
    raise_faults_of_replays();
}

bool Event::query() const { return !handle_ || done(cudaEventQuery(handle_), "cudaEventQuery"); }

double Event::elapsed_since(const Event& start) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.handle_, handle_), "cudaEventElapsedTime");
    return milliseconds;
}

Graph::Graph() : pool_(new_pool()) {
    const std::lock_guard lock(graphs().mutex);
    graphs().all.insert(this);
}

Graph::~Graph() {
    {
        const std::lock_guard lock(graphs().mutex);
        graphs().all.erase(this);
    }
    if (executable_) {
        const NotCaptured end;
        int before = 0;
        cudaGetDevice(&before);
        cudaSetDevice(device_);
        cudaDeviceSynchronize();  // its memory goes
        cudaSetDevice(before);
        cudaGraphExecDestroy(executable_);
    }
    if (replays_) deallocate(replays_);
    drop_checks();
    release_pool(pool_);
}

void Graph::begin_capture(int device) {
    if (stream_ || executable_) fail_value("graph: captured already; make another graph");
    if (recorded) fail_value("graph: another graph is being captured in this thread; end that first");
    empty_cache(device);  // the graph has memory of its own, and cannot take what is cached
    const DeviceGuard guard(device);
    if (!replays_) {
        replays_ = static_cast<std::int64_t*>(allocate(sizeof *replays_, device));
        cuda::check(cudaMemsetAsync(replays_, 0, sizeof *replays_, current_stream()), "cudaMemsetAsync");
        kernels::keep_first<Isa::cuda>(replays_, replays_);  // changes nothing; a kernel's first launch loads it, which may not be captured
    }
    auto stream = std::make_shared<Stream>(device);
    cuda::check(cudaStreamBeginCapture(stream->handle(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    device_ = device;
    stream_ = std::move(stream);
    before_ = current_stream_of(device);
    set_current_stream(stream_);
    recorded = this;
    use_pool(pool_);
}

void Graph::end_capture(bool keep) {
    if (!stream_) fail_value("graph: nothing is being captured; call begin_capture first");
    set_current_stream(std::exchange(before_, nullptr));
    recorded = nullptr;
    use_pool(0);
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream_->handle(), &graph);
    stream_.reset();
    cudaError_t made = cudaSuccess;
    if (keep && ended == cudaSuccess) made = cudaGraphInstantiate(&executable_, graph, 0);
    if (graph) cudaGraphDestroy(graph);
    if (!executable_) drop_checks();
    if (!keep) cudaGetLastError();  // whoever throws it away knows why
    cuda::check(keep ? ended : cudaSuccess, "cudaStreamEndCapture");
    cuda::check(made, "cudaGraphInstantiate");
}

void Graph::replay() {
    if (!executable_) fail_value("graph: nothing was captured; use it in 'with pe.cuda.graph(g)' first");
    const DeviceGuard guard(device_);
    const cudaStream_t stream = current_stream();
    cuda::check(cudaMemcpyAsync(replays_, &replayed_, sizeof replayed_, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
    cuda::check(cudaGraphLaunch(executable_, stream), "cudaGraphLaunch");
    ++replayed_;
}

void Graph::check(const std::int64_t* place, std::function<void(std::int64_t)> fail) {
    const DeviceGuard guard(device_);
    auto* found = static_cast<std::int64_t*>(allocate_pinned(sizeof *place));
    *found = -1;
    checks_.push_back({found, std::move(fail)});
    kernels::keep_first<Isa::cuda>(place, found);
}

void Graph::drop_checks() {
    for (const Check& check : checks_) deallocate_pinned(check.found);
    checks_.clear();  // the arrays they hold go back to the pool
}

void Graph::raise_faults() {
    for (const Check& check : checks_) {
        const std::int64_t position = *static_cast<volatile std::int64_t*>(check.found);
        if (position < 0) continue;
        *check.found = -1;
        check.fail(position);
    }
}

void check_after_replays(const std::int64_t* place, std::function<void(std::int64_t)> fail) { recorded->check(place, std::move(fail)); }
const std::int64_t* replays() { return recorded ? recorded->replays() : nullptr; }

void raise_faults_of_replays() {
    const std::lock_guard lock(graphs().mutex);
    for (Graph* graph : graphs().all) graph->raise_faults();
}

bool capturing() {
    for (const auto& [device, stream] : current) {
        cudaStreamCaptureStatus status{};
        check(cudaStreamIsCapturing(stream->handle(), &status), "cudaStreamIsCapturing");
        if (status != cudaStreamCaptureStatusNone) return true;
    }
    return false;
}

}  // namespace pyengine::cuda
