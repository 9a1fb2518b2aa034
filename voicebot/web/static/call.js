/**
 * One call to the bot: signalling in the manner of WHIP, sound over WebRTC, keys and captions on a data channel.
 * It knows nothing of the page. The messages of the channel are described in docs/webrtc.md.
 *
 * Events: "state" (detail: "connecting" | "listening" | "speaking"), "caption" (detail: the message),
 * "end" (detail: null when the call came to its end, or a CallProblem).
 */

const PROTOCOL = "voicebot.v1";
const GATHERING_MS = 2000;
const LOST_MS = 6000;

/** Why there is no call; `kind` is a key of the texts, `detail` a sentence for whoever runs the site. */
export class CallProblem extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
  }
}

const MICROPHONE_PROBLEMS = {
  NotAllowedError: "microphone-refused",
  SecurityError: "microphone-refused",
  NotFoundError: "microphone-absent",
  OverconstrainedError: "microphone-absent",
  NotReadableError: "microphone-busy",
  AbortError: "microphone-busy",
};
const HTTP_PROBLEMS = { 401: "token", 403: "origin", 429: "too-many", 503: "busy" };

export class VoiceCall extends EventTarget {
  #base;
  #tokenUrl;
  #peer = null;
  #channel = null;
  #microphone = null;
  #location = null;
  #sound = new Audio();
  #context = null;
  #meters = {};
  #lostTimer = 0;
  #over = false;
  #onPageHide = () => this.hangUp();

  /** `base` is the bot's address, ending in "/"; `tokenUrl` answers a POST with {"token": …}. */
  constructor(base, tokenUrl) {
    super();
    this.#base = base;
    this.#tokenUrl = tokenUrl || new URL("webrtc/token", base);
  }

  /** Call the bot; to be called from a click. Without a microphone the visitor hears, reads and keys. */
  async start({ microphone }) {
    this.#context = new AudioContext();
    this.#emit("state", "connecting");
    addEventListener("pagehide", this.#onPageHide);
    try {
      if (microphone) await this.#openMicrophone();
      await this.#connect();
    } catch (problem) {
      this.#finish(problem instanceof CallProblem ? problem : new CallProblem("failed", String(problem)));
    }
  }

  press(key) {
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify({ type: "key", key }));
  }

  set muted(muted) {
    for (const track of this.#microphone?.getTracks() ?? []) track.enabled = !muted;
  }

  get hasMicrophone() {
    return this.#microphone !== null;
  }

  /** How loud it is now, 0 to 1: "bot" or "visitor". */
  level(speaker) {
    const meter = this.#meters[speaker];
    if (!meter) return 0;
    meter.analyser.getFloatTimeDomainData(meter.samples);
    const power = meter.samples.reduce((sum, sample) => sum + sample * sample, 0) / meter.samples.length;
    return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-9)) / 55));
  }

  hangUp() {
    if (this.#over) return;
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify({ type: "hang_up" }));
    this.#finish(null);
  }

  async #openMicrophone() {
    if (!navigator.mediaDevices) throw new CallProblem("insecure");
    try {
      const audio = { echoCancellation: true, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
      this.#microphone = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new CallProblem(MICROPHONE_PROBLEMS[error.name] ?? "failed", error.message);
    }
    if (this.#over) this.#stopMicrophone();
    this.#measure("visitor", this.#microphone);
  }

  async #connect() {
    const { token } = await (await this.#ask(this.#tokenUrl, { method: "POST" })).json();
    const authorization = { Authorization: `Bearer ${token}` };
    const ice = await this.#ask(new URL("webrtc/ice", this.#base), { headers: authorization });
    if (this.#over) return;
    const peer = (this.#peer = new RTCPeerConnection({ ...(await ice.json()), bundlePolicy: "max-bundle" }));
    peer.addEventListener("track", ({ streams, track }) => this.#listen(streams[0] ?? new MediaStream([track])));
    peer.addEventListener("connectionstatechange", () => this.#follow(peer.connectionState));
    if (this.#microphone) peer.addTrack(this.#microphone.getAudioTracks()[0], this.#microphone);
    else peer.addTransceiver("audio", { direction: "recvonly" });
    this.#channel = peer.createDataChannel("call", { protocol: PROTOCOL });
    this.#channel.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    this.#channel.addEventListener("close", () => this.#finish(new CallProblem("lost")));
    await peer.setLocalDescription();
    await gathered(peer);
    const answer = await this.#ask(new URL("webrtc/calls", this.#base), {
      method: "POST",
      headers: { ...authorization, "Content-Type": "application/sdp" },
      body: peer.localDescription.sdp,
    });
    this.#location = new URL(answer.headers.get("Location"), this.#base);
    if (this.#over) return this.#release();
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  async #ask(url, options) {
    let answer;
    try {
      answer = await fetch(url, options);
    } catch (error) {
      throw new CallProblem("unreachable", error.message);
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new CallProblem(HTTP_PROBLEMS[answer.status] ?? "failed", told.detail ?? `HTTP ${answer.status}`);
  }

  #take(message) {
    if (message.type === "state") this.#emit("state", message.state);
    if (message.type === "caption") this.#emit("caption", message);
    if (message.type === "ended") this.#finish(message.reason === "completed" ? null : new CallProblem("going-down"));
  }

  #follow(state) {
    clearTimeout(this.#lostTimer);
    if (state === "failed" || state === "closed") this.#finish(new CallProblem("lost"));
    if (state === "disconnected") this.#lostTimer = setTimeout(() => this.#finish(new CallProblem("lost")), LOST_MS);
  }

  #listen(stream) {
    this.#sound.srcObject = stream;
    this.#sound.play().catch(() => {}); // a page that was never clicked may not play; the captions go on
    this.#measure("bot", stream);
  }

  #measure(speaker, stream) {
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 512;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    this.#meters[speaker] = { analyser, samples: new Float32Array(analyser.fftSize) };
  }

  #finish(problem) {
    if (this.#over) return;
    this.#over = true;
    removeEventListener("pagehide", this.#onPageHide);
    clearTimeout(this.#lostTimer);
    this.#release();
    this.#stopMicrophone();
    this.#sound.srcObject = null;
    this.#context?.close();
    this.#meters = {};
    this.#emit("end", problem);
  }

  #release() {
    this.#peer?.close();
    if (this.#location) fetch(this.#location, { method: "DELETE", keepalive: true }).catch(() => {});
    this.#location = null;
  }

  #stopMicrophone() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Wait until the browser knows its addresses, but not for a server that does not answer. */
function gathered(peer) {
  return new Promise((resolve) => {
    setTimeout(resolve, GATHERING_MS);
    const look = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", look);
    look();
  });
}
