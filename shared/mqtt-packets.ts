import mqttPacket from 'mqtt-packet'

// It would keep a buffer for each of 65,536 numbers from the first packet on: 7 to 15 MB for nothing.
mqttPacket.writeToStream.cacheNumbers = false

/** The packets of MQTT, to read and to write. */
export default mqttPacket
