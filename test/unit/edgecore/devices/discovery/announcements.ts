/** Announcements in the shapes that zigbee2mqtt 1.x and 2.x, Tasmota and ESPHome publish. */

export const bridgeDevices = [
  { ieee_address: '0x00124b0014d9aabb', type: 'Coordinator', friendly_name: 'Coordinator', supported: true },
  {
    ieee_address: '0x00158d0001dc126a',
    type: 'EndDevice',
    network_address: 29159,
    supported: true,
    disabled: false,
    friendly_name: 'Wohnzimmer/Klima',
    description: null,
    definition: {
      model: 'WSDCGQ11LM',
      vendor: 'Aqara',
      description: 'Temperature and humidity sensor',
      exposes: [
        { type: 'numeric', name: 'battery', property: 'battery', access: 1, unit: '%', value_min: 0, value_max: 100 },
        { type: 'numeric', name: 'temperature', property: 'temperature', access: 1, unit: '°C' },
        {
          type: 'numeric',
          name: 'linkquality',
          property: 'linkquality',
          access: 1,
          unit: 'lqi',
          value_min: 0,
          value_max: 255,
        },
      ],
      options: [],
    },
  },
  {
    ieee_address: '0x000b57fffec6a5b2',
    type: 'Router',
    friendly_name: 'lamp',
    definition: {
      model: 'LED1624G9',
      vendor: 'IKEA',
      description: 'TRADFRI bulb',
      exposes: [
        {
          type: 'light',
          features: [
            {
              type: 'binary',
              name: 'state',
              property: 'state',
              access: 7,
              value_on: 'ON',
              value_off: 'OFF',
              value_toggle: 'TOGGLE',
            },
            { type: 'numeric', name: 'brightness', property: 'brightness', access: 7, value_min: 0, value_max: 254 },
            {
              type: 'composite',
              name: 'color_xy',
              property: 'color',
              access: 7,
              features: [
                { type: 'numeric', name: 'x', property: 'x', access: 7 },
                { type: 'numeric', name: 'y', property: 'y', access: 7 },
              ],
            },
          ],
        },
        { type: 'enum', name: 'effect', property: 'effect', access: 2, values: ['blink', 'breathe'] },
        { type: 'binary', name: 'occupancy', property: 'occupancy', access: 1, value_on: true, value_off: false },
        { type: 'list', name: 'schedule', property: 'schedule', access: 3, item_type: { type: 'text' } },
        { type: 'numeric', name: 'delay', property: 'delay', access: 7, value_min: 0, value_max: 60, value_step: 1 },
      ],
    },
  },
  { ieee_address: '0x2', type: 'EndDevice', friendly_name: 'unsupported', supported: false, definition: null },
  {
    ieee_address: '0x3',
    type: 'EndDevice',
    friendly_name: 'off',
    disabled: true,
    definition: { model: 'x', exposes: [] },
  },
]

/** Tasmota with SetOption19 1: short keys, "~" for the base. */
export const tasmotaSwitch = {
  topic: 'homeassistant/switch/2C3AE8_RL_1/config',
  payload: {
    name: 'Plug',
    stat_t: '~tele/STATE',
    avty_t: 'tele/plug/LWT',
    pl_avail: 'Online',
    pl_not_avail: 'Offline',
    cmd_t: 'cmnd/plug/POWER',
    val_tpl: '{{value_json.POWER}}',
    pl_off: 'OFF',
    pl_on: 'ON',
    uniq_id: '2C3AE8_RL_1',
    dev: { ids: ['2C3AE8'], name: 'Plug', mdl: 'Sonoff S20', sw: '9.5.0', mf: 'Tasmota' },
    '~': 'plug/',
  },
}

export const tasmotaSensor = {
  topic: 'homeassistant/sensor/2C3AE8_ENERGY_Power/config',
  payload: {
    name: 'ENERGY Power',
    stat_t: 'tele/plug/SENSOR',
    avty_t: 'tele/plug/LWT',
    pl_avail: 'Online',
    pl_not_avail: 'Offline',
    uniq_id: '2C3AE8_ENERGY_Power',
    dev: { ids: ['2C3AE8'] },
    unit_of_meas: 'W',
    val_tpl: "{{value_json['ENERGY']['Power'] | round(1)}}",
  },
}

/** ESPHome: long keys, a node level in the topic. */
export const esphomeNumber = {
  topic: 'homeassistant/number/pump/speed/config',
  payload: {
    name: 'Speed',
    state_topic: 'pump/number/speed/state',
    command_topic: 'pump/number/speed/command',
    availability_topic: 'pump/status',
    min: 0,
    max: 10,
    step: 0.5,
    unique_id: 'ESPnumberspeed',
    device: { identifiers: 'a1b2c3', name: 'pump', model: 'esp32dev', manufacturer: 'Espressif' },
  },
}

/** One message for a whole device. */
export const wholeDevice = {
  topic: 'homeassistant/device/0AFFD2/config',
  payload: {
    dev: { ids: 'ea334450945afc', name: 'Kitchen', mf: 'Bla electronics', mdl: 'xya' },
    o: { name: 'bla2mqtt', sw: '2.1' },
    cmps: {
      temp: {
        p: 'sensor',
        device_class: 'temperature',
        unit_of_meas: '°C',
        val_tpl: '{{ value_json.temperature }}',
        name: 'Temperature',
      },
      tone: { p: 'siren', cmd_t: 'kitchen/siren' },
      door: { p: 'binary_sensor', val_tpl: '{{ value_json.door }}', pl_on: 'open', pl_off: 'closed', name: null },
      odd: { p: 'sensor', val_tpl: '{{ value_json.a + 1 }}' },
    },
    stat_t: 'kitchen/state',
    qos: 2,
  },
}

export const jsonLight = {
  topic: 'homeassistant/light/strip/config',
  payload: {
    name: 'Strip',
    schema: 'json',
    state_topic: 'strip/state',
    command_topic: 'strip/set',
    brightness: true,
    brightness_scale: 100,
    unique_id: 'strip1',
  },
}
